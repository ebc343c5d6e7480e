import HongbaoCore

/// Makes inputs out of seeds: the same number, the same inputs. It knows nothing of coverage; libFuzzer does.
package struct Mutator: Sendable {
    private let seeds: [[UInt8]]
    private let words: [[UInt8]]
    private let lengthMax: Int
    private var random: SplitMix64

    package init(seeds: [[UInt8]], words: [[UInt8]], lengthMax: Int, seed: UInt64) {
        self.seeds = seeds.isEmpty ? [[]] : seeds
        self.words = words
        self.lengthMax = lengthMax
        random = SplitMix64(seed: seed)
    }

    package mutating func next() -> [UInt8] {
        var bytes = seeds[below(seeds.count)]
        // Mostly few changes: many of them leave nothing of the seed.
        for _ in 0...below(1 << below(4)) { change(&bytes) }
        if bytes.count > lengthMax { bytes.removeSubrange(lengthMax...) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let place = below(bytes.count + 1)
        let length = below(min(bytes.count - place, 1 << below(6)) + 1)
        let range = place..<place + length
        switch below(10) {
        case 0 where place < bytes.count: bytes[place] ^= 1 << below(8)
        case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 3: bytes.removeSubrange(range)
        case 4: bytes.insert(contentsOf: Array(bytes[range]), at: below(bytes.count + 1))
        case 5: bytes.removeSubrange(place...)
        case 6:
            let other = seeds[below(seeds.count)]
            let start = below(other.count + 1)
            bytes.replaceSubrange(range, with: other[start..<start + below(other.count - start + 1)])
        case 7 where length > 0:
            // A run of one byte: digits, brackets, zeros.
            bytes.insert(contentsOf: repeatElement(bytes[place], count: below(1 << below(10))), at: place)
        default:
            guard !words.isEmpty else { return }
            let word = words[below(words.count)]
            // Over what is there, or between it.
            let isOver = below(2) == 0
            bytes.replaceSubrange(isOver ? place..<min(bytes.count, place + word.count) : place..<place, with: word)
        }
    }

    private mutating func below(_ bound: Int) -> Int { Int(random.next(below: UInt64(bound))) }
}
