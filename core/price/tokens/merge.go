package tokens

// merger joins the bytes of a piece to tokens. It is reused; one goroutine uses it at a time.
type merger struct {
	nodes []node
	heap  []candidate
}

// maxScratch is the number of nodes from which a merger is not kept for the next text.
const maxScratch = 1 << 16

// node is a part of a piece: a token so far. Parts are a list, so that joining two costs nothing.
type node struct {
	prev, next int32
	rank       uint32 // of this part and the next one joined; none if they cannot be
}

// candidate is a pair of parts that can be joined.
type candidate struct {
	rank uint32
	at   int32
}

func (c candidate) before(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// count returns the number of tokens of a piece: byte-pair encoding joins the two neighbours whose token has the lowest
// rank, the leftmost of equals, until none can be joined. A heap keeps a long piece, such as a megabyte of one letter,
// from taking a time that grows with its square.
func (m *merger) count(v *vocabulary, piece string) int {
	if len(piece) == 1 || v.rank(piece) != none {
		return 1
	}
	m.start(v, piece)
	parts := len(piece)
	end := int32(len(piece))
	for len(m.heap) > 0 {
		top := m.pop()
		a := &m.nodes[top.at]
		if a.rank != top.rank {
			continue // one of the two was joined with another part since
		}
		b := &m.nodes[a.next]
		b.rank = none
		a.next = b.next
		if a.next < end {
			m.nodes[a.next].prev = top.at
		}
		parts--
		m.look(v, piece, top.at)
		if a.prev >= 0 {
			m.look(v, piece, a.prev)
		}
	}
	return parts
}

// start makes each byte a part.
func (m *merger) start(v *vocabulary, piece string) {
	m.nodes, m.heap = m.nodes[:0], m.heap[:0]
	for i := range len(piece) {
		m.nodes = append(m.nodes, node{int32(i) - 1, int32(i) + 1, none})
	}
	for i := range len(piece) {
		m.look(v, piece, int32(i))
	}
}

// look finds out whether a part can be joined with the next one.
func (m *merger) look(v *vocabulary, piece string, at int32) {
	n := &m.nodes[at]
	n.rank = none
	if int(n.next) >= len(piece) {
		return
	}
	if n.rank = v.rank(piece[at:m.nodes[n.next].next]); n.rank != none {
		m.push(candidate{n.rank, at})
	}
}

func (m *merger) push(c candidate) {
	m.heap = append(m.heap, c)
	i := len(m.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !m.heap[i].before(m.heap[parent]) {
			return
		}
		m.heap[i], m.heap[parent] = m.heap[parent], m.heap[i]
		i = parent
	}
}

func (m *merger) pop() candidate {
	h := m.heap
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	m.heap = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return top
		}
		if right := child + 1; right < last && h[right].before(h[child]) {
			child = right
		}
		if !h[child].before(h[i]) {
			return top
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
