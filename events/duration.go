package events

import (
	"encoding/json"
	"math/big"
	"strings"
)

// daysPerWeek is how many days a week of work has at Smartsheet.
const daysPerWeek = 5

// durationObject is a duration as Smartsheet gives it. Each part may have a
// fraction, and may be missing.
type durationObject struct {
	ObjectType   string      `json:"objectType"`
	Negative     bool        `json:"negative"`
	Weeks        json.Number `json:"weeks"`
	Days         json.Number `json:"days"`
	Hours        json.Number `json:"hours"`
	Minutes      json.Number `json:"minutes"`
	Seconds      json.Number `json:"seconds"`
	Milliseconds json.Number `json:"milliseconds"`
}

// isoDuration writes a DURATION object as an ISO 8601 duration: weeks as days,
// everything else in the units it came in (90 minutes are PT90M), except that a
// fraction of hours or minutes moves down where a smaller unit follows, for
// only the smallest unit of a time may have one. ok is false for what is no
// such duration.
func isoDuration(raw json.RawMessage) (iso string, ok bool) {
	var d durationObject
	if json.Unmarshal(raw, &d) != nil || d.ObjectType != "DURATION" {
		return "", false
	}
	var parts [6]*big.Rat
	for i, n := range []json.Number{d.Weeks, d.Days, d.Hours, d.Minutes, d.Seconds, d.Milliseconds} {
		if parts[i], ok = smallRat(n); !ok {
			return "", false
		}
	}
	days := parts[0].Mul(parts[0], big.NewRat(daysPerWeek, 1))
	days.Add(days, parts[1])
	seconds := parts[5].Mul(parts[5], big.NewRat(1, 1000))
	seconds.Add(seconds, parts[4])
	units := []*big.Rat{days, parts[2], parts[3], seconds}
	sign := 0
	for _, u := range units {
		if u.Sign()*sign < 0 {
			return "", false // one part forth and another back
		}
		sign += u.Sign()
	}
	if sign == 0 {
		return "PT0S", true
	}
	moveFractions(units[1:])
	return writeDuration(units, d.Negative != (sign < 0)), true
}

// moveFractions leaves a fraction of hours, minutes and seconds in the smallest
// unit alone: half an hour and one minute become 31 minutes.
func moveFractions(units []*big.Rat) {
	for i, u := range units[:len(units)-1] {
		smaller := false
		for _, v := range units[i+1:] {
			smaller = smaller || v.Sign() != 0
		}
		if u.IsInt() || !smaller {
			continue
		}
		whole := new(big.Rat).SetInt(new(big.Int).Quo(u.Num(), u.Denom()))
		rest := new(big.Rat).Sub(u, whole)
		units[i+1].Add(units[i+1], rest.Mul(rest, big.NewRat(60, 1)))
		u.Set(whole)
	}
}

func writeDuration(units []*big.Rat, negative bool) string {
	var b strings.Builder
	if negative {
		b.WriteByte('-')
	}
	b.WriteByte('P')
	inTime := false
	for i, u := range units {
		if u.Sign() == 0 {
			continue
		}
		if i > 0 && !inTime {
			inTime = true
			b.WriteByte('T')
		}
		places, _ := u.FloatPrec() // decimals in, decimals out: always exact
		b.WriteString(new(big.Rat).Abs(u).FloatString(places))
		b.WriteByte("DHMS"[i])
	}
	return b.String()
}

// smallRat reads a number that is missing (zero) or of a size that a duration
// can have; bounded, so that an exponent cannot make it huge.
func smallRat(n json.Number) (*big.Rat, bool) {
	if n == "" {
		return new(big.Rat), true
	}
	digits, exp, _ := decimal(n.String())
	if len(digits) > 20 || !exp.IsInt64() || exp.Int64() > 12 || exp.Int64() < -20 {
		return nil, false
	}
	return new(big.Rat).SetString(n.String())
}
