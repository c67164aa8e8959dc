vault kv delete kv/data/apps/billing/db
