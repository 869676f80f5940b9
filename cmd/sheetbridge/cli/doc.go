// Package cli has the commands that talk to a running service over its admin API,
// and tail and write, which read and ask as a partner does.
//
// Most commands come from one table, resources in resources.go. A resource is a
// kind of thing that the API lists: its path, its columns in a list, its lines in
// a detailed view, and the actions on one of them. To add
//
//   - a column or a line: add a column with the field's path in the API's JSON;
//   - a command such as "sheetbridge owners authorize OWNER": add an action with
//     its method, its path and what it says when it is done. An action that sends a
//     body has a function that defines its flags and returns the body; one that does
//     more than a request has a run function;
//   - a kind of thing: add a resource, and to parts of another one where its
//     commands stand below that (partners credentials);
//   - a command that is about no list (doctor, status): write a function that
//     returns it and name it in Commands.
//
// From the table come also the completion of names in a shell, --dry-run and --yes
// of every change, and the commands that stand in for calls of the API in its
// advice. Fields of columns that the API does not have fail a test.
package cli
