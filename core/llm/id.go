package llm

import (
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// ID is a UUID version 7 in text form: 48 bits of milliseconds, then random bits, so that ids sort by time.
type ID [36]byte

// NewID makes an id for the moment. It allocates nothing. The random bits tell ids apart; they are not a secret.
func NewID(now time.Time) (id ID) {
	ms := uint64(now.UnixMilli())
	a, b := rand.Uint64(), rand.Uint64()
	var u [16]byte
	u[0], u[1], u[2], u[3], u[4], u[5] = byte(ms>>40), byte(ms>>32), byte(ms>>24), byte(ms>>16), byte(ms>>8), byte(ms)
	u[6], u[7] = 0x70|byte(a>>8)&0x0f, byte(a)
	u[8] = 0x80 | byte(b>>56)&0x3f
	for i := 9; i < 16; i++ {
		u[i] = byte(b >> (8 * (15 - i)))
	}
	hex.Encode(id[0:8], u[0:4])
	hex.Encode(id[9:13], u[4:6])
	hex.Encode(id[14:18], u[6:8])
	hex.Encode(id[19:23], u[8:10])
	hex.Encode(id[24:36], u[10:16])
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	return id
}

// String returns the id as text.
func (id ID) String() string { return string(id[:]) }
