/// First in, first out; taking from the front doesn't move the rest each time.
struct Line<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    private var head = 0

    var count: Int { elements.count - head }

    /// By the place in the line, from 0.
    subscript(place: Int) -> Element {
        get { elements[head + place] }
        set { elements[head + place] = newValue }
    }

    mutating func append(_ element: Element) { elements.append(element) }

    /// Back to the front, from where it was just taken.
    mutating func putBack(_ element: Element) {
        if head > 0 {
            head -= 1
            elements[head] = element
        } else {
            elements.insert(element, at: 0)
        }
    }

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

/// Orders in the order of the time at which each is due: a binary heap.
struct AlarmClock<ID: Comparable & Sendable>: Sendable {
    private var heap: [(due: Duration, id: ID)] = []

    var first: (due: Duration, id: ID)? { heap.first }

    mutating func insert(_ due: Duration, _ id: ID) {
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
