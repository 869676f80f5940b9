// Package diagnose tells how things stand and what to do about it: [Survey] asks
// the partners' streams and the queue for the state of webhooks, shares and
// partners; [Doctor] examines all parts of the bridge, and explains why a
// partner has or has not got a row. Nothing here changes anything.
package diagnose
