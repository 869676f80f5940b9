// Package eventstest is for tests only, those of all packages: waiting for a condition,
// the long form of tests, packages of npm.
package eventstest
