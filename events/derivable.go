package events

// Derivable tells whether the values that were published under the old definition
// tell all that the new one shows of the same rows: then nothing has to be read to
// take back what it does not show.
func (c Change) Derivable(now Share) bool {
	if len(c.kept) != len(now.Fields) {
		return false
	}
	if c.sameWhere {
		return true
	}
	for column := range now.FilterTypes {
		if _, stored := c.trueValue[column]; !stored {
			return false
		}
	}
	return true
}
