package inbox

// pool decides which item is worked on next. Lanes take turns, and so do the
// items of a lane, so that none waits for one that is busy.
type pool struct {
	max      int // items at work
	perLane  int
	perToken int
	running  int
	tokens   map[string]int // items at work
	lanes    map[string]*lane
	keys     []*lane // those with items that wait
}

// lane are items that share a limit.
type lane struct {
	name    string
	token   string
	running int
	queue   []*item
}

func newPool(limit, perLane, perToken int) *pool {
	return &pool{max: limit, perLane: perLane, perToken: perToken, tokens: map[string]int{}, lanes: map[string]*lane{}}
}

// push has an item wait for its turn.
func (p *pool) push(it *item, token, name string) {
	l := p.lanes[name]
	if l == nil {
		l = &lane{name: name, token: token}
		p.lanes[name] = l
	}
	it.pool, it.lane = p, l
	if len(l.queue) == 0 {
		p.keys = append(p.keys, l)
	}
	l.queue = append(l.queue, it)
}

// next takes the item whose turn it is; nil: none may be worked on now.
func (p *pool) next() *item {
	if p.running >= p.max {
		return nil
	}
	for range len(p.keys) {
		l := p.keys[0]
		p.keys = p.keys[1:]
		if l.running >= p.perLane || p.tokens[l.token] >= p.perToken {
			p.keys = append(p.keys, l)
			continue
		}
		it := l.queue[0]
		l.queue = l.queue[1:]
		if len(l.queue) > 0 {
			p.keys = append(p.keys, l)
		}
		p.running++
		p.tokens[l.token]++
		l.running++
		return it
	}
	return nil
}

// release gives back the place of an item that next returned.
func (p *pool) release(it *item) {
	l := it.lane
	p.running--
	l.running--
	if p.tokens[l.token]--; p.tokens[l.token] == 0 {
		delete(p.tokens, l.token)
	}
	if l.running == 0 && len(l.queue) == 0 {
		delete(p.lanes, l.name)
	}
}
