// Package write makes what partners ask to have written, and answers them.
//
// A partner's requests lie in the stream WRITES of its storage account. Every process
// receives some of them, holds them by sheet (queue.go), and works on one sheet at a time
// as long as it has the sheet's lease, in rounds (work.go, round.go):
//
//	WRITES ──► gather    those that are due, as many as one request takes     round.go
//	             ▼
//	           prepare   the id's answer, the terms, the time, the rate       prepare.go
//	             ▼
//	           read      the rows as they are now, in the writer's name       read.go
//	             ▼
//	           judge     each request by what was read                        judge.go
//	             ▼
//	           send      one request for all that may be written              send.go
//	             ▼
//	           answer    memory, hint for the relay, answer, audit, done      answer.go
//
// Smartsheet has no conditional write. So three things stand in for one:
//
// The lease (lease.go) lets one process at a time write to a sheet. Who has it records
// what it is about to send in the lease itself, by compare-and-set, and must have
// begun to send within a third of the lease's time: a process that was stopped in
// between does not send when it goes on: the clock is read right before each system call
// that sends (guard.go). What is left is a process that is stopped just between that
// check and the system call, for longer than two thirds of that time, and a request that
// the network, or Smartsheet, holds up for so long after it was sent: Smartsheet takes
// no condition with a write by which it could tell that it comes too late.
//
// What was recorded and has no answer may have been written or not. It is not sent again
// before the sheet was read: is it so already, is the key there, does the cell's
// history have it (recover.go)?
//
// The memory (memory.go) has one answer for one id, created once, by the process that is first.
package write
