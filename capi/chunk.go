package main

/*
#include "chunk.h"
*/
import "C"

import (
	"unsafe"

	"zigh3/engine/sink"
)

// chunkOwner gives bodies that came by pointer back to the pool that the host's threads take them from.
type chunkOwner struct{}

// Release implements sink.ChunkOwner.
func (chunkOwner) Release(b []byte) { C.chunk_give((*C.uint8_t)(unsafe.SliceData(b))) }

var chunks sink.ChunkOwner = chunkOwner{}
