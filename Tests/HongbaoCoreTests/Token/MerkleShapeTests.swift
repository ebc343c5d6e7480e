import HongbaoCore
import Testing

@Suite struct MerkleShapeTests {
    /// The length by RFC 6962's own definition: one for each split on the way down.
    private func defined(_ index: Int, _ count: Int) -> Int {
        guard count > 1 else { return 0 }
        var split = 1
        while split * 2 < count { split *= 2 }
        return 1 + (index < split ? defined(index, split) : defined(index - split, count - split))
    }

    @Test func pathLengthsAreThoseOfTheDefinition() {
        for count in 1...BatchHeader.countMax {
            for index in 0..<count {
                #expect(MerkleShape.pathLength(index: index, count: count) == defined(index, count))
            }
        }
        #expect(MerkleShape.pathLength(index: 0, count: BatchHeader.countMax) == MerkleShape.pathLengthMax)
    }
}

@Suite struct BatchHeaderTests {
    private func header(count: Int = 256, sequence: UInt64 = 1, total: Int64 = 0, at: Int64 = 0) -> BatchHeader {
        BatchHeader(
            mint: MintID(.max),
            epoch: 1,
            sequence: sequence,
            count: count,
            total: Amount(fen: total) ?? .zero,
            at: Timestamp(milliseconds: at),
            nonce: .max - 1,
            root: Digest192([UInt8](0..<24).span)
        )
    }

    private func bytes(_ header: BatchHeader) -> [UInt8] {
        var bytes: [UInt8] = []
        header.append(to: &bytes)
        return bytes
    }

    @Test func isReadBackAsItWasWritten() {
        for header in [
            header(), header(count: 1), header(sequence: .max), header(total: .max), header(at: .min), header(at: .max),
        ] {
            let encoded = bytes(header)
            #expect(encoded.count == BatchHeader.size)
            #expect(BatchHeader(encoded.span) == header)
            #expect(Array(encoded.suffix(24)) == [UInt8](0..<24))
        }
    }

    /// No sequence 0, no count outside 1 to 256, no negative total, no other algorithm, no byte too few.
    @Test func impossibleHeadersAreRefused() {
        let good = bytes(header())
        func altered(_ change: (inout [UInt8]) -> Void) -> BatchHeader? {
            var bytes = good
            change(&bytes)
            return BatchHeader(bytes.span)
        }
        #expect(altered { $0[16] = 0 } == nil)
        #expect(altered { $0[17] = 0 } == nil)
        #expect(altered { $0[18] = 1 } == nil)
        #expect(altered { $0[19] = 0x80 } == nil)
        #expect(altered { $0[0] = 2 } == nil)
        for size in 0..<BatchHeader.size { #expect(BatchHeader(Array(good.prefix(size)).span) == nil) }
    }
}
