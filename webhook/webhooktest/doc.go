// Package webhooktest is the world that tests of the house webhook share: a
// [Bridge] of real parts between a simulated Smartsheet and partners, a [World]
// with one sheet registered, and the [Oracle], which judges what a partner got.
package webhooktest
