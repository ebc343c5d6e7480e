import HongbaoCore

/// First in, first out; taking from the front doesn't move the rest each time.
struct Line<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    private var head = 0

    var count: Int { elements.count - head }

    mutating func append(_ element: Element) { elements.append(element) }

    /// At most `limit` from the front.
    mutating func take(_ limit: Int) -> [Element] {
        let end = min(head + limit, elements.count)
        let taken = Array(elements[head..<end])
        head = end
        if head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return taken
    }
}

/// Transfers in the order of the time at which each is due: a binary heap.
struct AlarmClock: Sendable {
    private var heap: [(due: Timestamp, id: TransferID)] = []

    var first: (due: Timestamp, id: TransferID)? { heap.first }

    mutating func insert(_ due: Timestamp, _ id: TransferID) {
        heap.append((due, id))
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() {
        guard let last = heap.popLast(), !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func isBefore(_ a: Int, _ b: Int) -> Bool { (heap[a].due, heap[a].id) < (heap[b].due, heap[b].id) }
}

/// The generator of Steele, Lea and Flood: the same seed gives the same numbers everywhere.
struct SplitMix64: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// The bias is below 2^-40 for all bounds that occur here.
    mutating func next(below bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }
}
