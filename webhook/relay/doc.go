// Package relay is the road from hints to events: it takes hints, reads
// Smartsheet, compares with what each partner last saw, and publishes what
// differs.
//
// One round for one registration is a pass. It is a flow of values, in
// [Relay.Pass]:
//
//	hint ──► plan          registration, owner, client, shares          plan.go
//	          │
//	          ▼
//	        open           each share: the partner's stream, the lock,   open.go
//	          │ shares     and the definition that the stream has        revise.go
//	          ▼
//	        reader         pages of rows from Smartsheet; knows no       reader.go
//	          │ page       partner                                       columns.go
//	          ▼
//	        apply          each share: view → compare → publish, under   apply.go
//	          │ outcomes   its lock; knows no Smartsheet
//	          ▼
//	        conclude       what follows: again, later, given up, told    decide.go
//
// What a step found, and why it ended for a share, are the outcomes that it returns
// (outcome.go). The pass adds them up and gives the next step the shares that still take
// part, and what it needs to know. A share itself keeps how it stands with its stream:
// its record, since that is stored; below which message an older definition stands, until
// that is purged; how many events were stored, for the report, whatever has stored them;
// and which children the partner sees, so that they are looked for once.
//
// A hint says that a sheet may have changed, never what changed: what is
// published is the difference between the sheet as it is and the last message of
// each subject in the partner's stream. So hints may be lost, repeated and merged,
// and every failure is made up for by the next pass.
//
// A row that was changed and changed back is not published by who reads it last. So
// who may still publish an older reading has to hear of that one: a pass notes which
// objects it compares, in memory for the passes of its process (compared.go) and,
// where there may be other processes, in each status (comparedlog.go).
//
// Shares do not depend on each other. Each has a lock of its own (the sequence of
// its last status), its own error and its own next try. One whose partner is slow
// or fails leaves the passes of its registration and has passes of its own until
// it keeps up again.
package relay
