// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// FieldsForm is the shape of details.fields in a validation_error.
type FieldsForm uint8

// The shapes of that member.
const (
	FieldsFormObjects FieldsForm = iota // [{"field":…,"message":…}]
	FieldsFormMap                       // {field: message}
	FieldsFormNames                     // [field]
)

// AuditDenied says whether the audit log has requests that were refused.
type AuditDenied uint8

// What the log does with them.
const (
	AuditDeniedEntered AuditDenied = iota // it has them, with success false
	AuditDeniedLeftOut                    // it has only what succeeded
)
