package engine

import (
	"encoding/binary"

	"golang.org/x/net/http2/hpack"
)

// QPACK shares HPACK's Huffman code (RFC 7541, appendix B). hpack decodes it a symbol at a time into a pooled buffer and then a
// string; here up to two symbols are looked up at once and written where they are wanted, which halves the cost of a header block.

// huffmanBits is the width of the table: it holds every code of at most that many bits, and pairs of short ones.
const huffmanBits = 12

// longestCode is the longest code of a symbol. The code of EOS is as long, all ones, and must not occur.
const longestCode = 30

// A huffmanEntry tells what the next huffmanBits bits begin with: bits 0-7 how many bits its symbols take together, 8-15 and 16-23
// the symbols, 24-25 how many of them there are (0: a longer code), 26-31 how many bits the first takes. What the next lookup waits
// for stands lowest, where it needs no shift.
type huffmanEntry uint32

func (e huffmanEntry) bits() uint      { return uint(e) & 63 }
func (e huffmanEntry) count() int      { return int(e>>24) & 3 }
func (e huffmanEntry) firstBits() uint { return uint(e >> 26) }

func newHuffmanEntry(first, second byte, count, firstBits, bits uint) huffmanEntry {
	return huffmanEntry(uint32(bits) | uint32(first)<<8 | uint32(second)<<16 | uint32(count)<<24 | uint32(firstBits)<<26)
}

var (
	huffmanTable [1 << huffmanBits]huffmanEntry

	// Longer codes are canonical: those of one length are consecutive numbers, and left-aligned they are below longLimit.
	longLimit [longestCode + 1]uint32
	longFirst [longestCode + 1]uint32 // the first code of this length, left-aligned
	longStart [longestCode + 1]int    // where its symbol stands in longSymbols
	longBytes []byte
)

// The code is taken from the library that encodes it, so that there is no second copy of 257 numbers to be wrong.
func init() {
	type code struct {
		symbol byte
		bits   uint
		value  uint32 // left-aligned
	}
	var short, long []code
	for s := range 256 {
		var eight [8]byte
		for i := range eight {
			eight[i] = byte(s)
		}
		encoded := hpack.AppendHuffmanString(nil, string(eight[:])) // eight codes of n bits are n bytes
		c := code{symbol: byte(s), bits: uint(len(encoded))}
		c.value = binary.BigEndian.Uint32(encoded) &^ (1<<(32-c.bits) - 1)
		if c.bits <= huffmanBits {
			short = append(short, c)
		} else {
			long = append(long, c)
		}
	}
	fill := func(prefix uint32, bits uint, e huffmanEntry) {
		first := prefix >> (32 - huffmanBits)
		for i := range uint32(1) << (huffmanBits - bits) {
			huffmanTable[first+i] = e
		}
	}
	for _, a := range short {
		fill(a.value, a.bits, newHuffmanEntry(a.symbol, 0, 1, a.bits, a.bits))
		for _, b := range short {
			if bits := a.bits + b.bits; bits <= huffmanBits {
				fill(a.value|b.value>>a.bits, bits, newHuffmanEntry(a.symbol, b.symbol, 2, a.bits, bits))
			}
		}
	}
	for bits := uint(huffmanBits + 1); bits <= longestCode; bits++ {
		longStart[bits] = len(longBytes)
		for _, value := range sortedCodes(long, func(c code) (uint32, bool) { return c.value, c.bits == bits }) {
			if longLimit[bits] == 0 {
				longFirst[bits] = value
			}
			longLimit[bits] = value + 1<<(32-bits)
			for _, c := range long {
				if c.bits == bits && c.value == value {
					longBytes = append(longBytes, c.symbol)
				}
			}
		}
	}
}

// sortedCodes gives the values that pick selects, in ascending order.
func sortedCodes[C any](codes []C, pick func(C) (uint32, bool)) []uint32 {
	var values []uint32
	for _, c := range codes {
		v, ok := pick(c)
		if !ok {
			continue
		}
		i := len(values)
		for i > 0 && values[i-1] > v {
			i--
		}
		values = append(values[:i], append([]uint32{v}, values[i:]...)...)
	}
	return values
}

// decodeHuffman decodes src into dst and gives the number of bytes. errShort: dst does not hold them. errHuffman: no such code.
func decodeHuffman(dst, src []byte) (int, error) {
	var (
		acc  uint64 // the next bits, left-aligned; behind those that count there may already be some of src's
		have uint   // how many of them count
		at   int
	)
	for {
		if len(src) >= 8 {
			acc |= binary.BigEndian.Uint64(src) >> (have & 63)
			src = src[(63-have)>>3:]
			have |= 56
		} else {
			for have <= 56 && len(src) > 0 {
				acc |= uint64(src[0]) << ((56 - have) & 63)
				src = src[1:]
				have += 8
			}
		}
		for have >= huffmanBits && len(dst)-at >= 2 {
			e := huffmanTable[acc>>(64-huffmanBits)]
			if e.count() == 0 {
				break
			}
			binary.LittleEndian.PutUint16(dst[at:], uint16(e>>8))
			at += e.count()
			acc <<= e.bits() & 63
			have -= e.bits()
		}
		if have < longestCode && len(src) > 0 {
			continue
		}
		// The end of src or of dst, or a long code: one symbol, and it must be complete.
		if have < 8 && isHuffmanPadding(acc, have) {
			return at, nil
		}
		// What is missing reads as zeros, both here and below: a code that needs some of it is longer than have.
		e := huffmanTable[acc>>(64-huffmanBits)]
		symbol, bits := byte(e>>8), e.firstBits()
		if e.count() == 0 {
			symbol, bits = longCode(uint32(acc >> 32))
		}
		if bits == 0 || bits > have {
			return 0, errHuffman
		}
		if at == len(dst) {
			return 0, errShort
		}
		dst[at] = symbol
		at++
		acc <<= bits
		have -= bits
	}
}

// longCode looks up a code that is not in the table, and so is not below the first of the long ones. bits 0: there is none: EOS.
func longCode(next uint32) (symbol byte, bits uint) {
	for bits := uint(huffmanBits + 1); bits <= longestCode; bits++ {
		if longLimit[bits] > next {
			return longBytes[longStart[bits]+int((next-longFirst[bits])>>(32-bits))], bits
		}
	}
	return 0, 0
}

// isHuffmanPadding: what is left of the last byte must be the begin of EOS, and less than a byte (RFC 7541, 5.2).
func isHuffmanPadding(acc uint64, have uint) bool {
	return acc|^uint64(0)>>have == ^uint64(0)
}
