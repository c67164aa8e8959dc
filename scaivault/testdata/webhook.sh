#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes webhook_signature.txt, by other means than the library's.
printf '{"event_id":"evt_1","event_type":"secret.rotated","path":"a/ü","data":{"new_version":2}}' > webhook_body.json
{ printf '946684800.'; cat webhook_body.json; } |
	openssl dgst -sha256 -hmac 'not-a-real-secret-of-a-webhook' | sed 's/^.*= */sha256=/' > webhook_signature.txt
