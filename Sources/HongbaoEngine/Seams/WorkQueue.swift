/// A piece of work that waits for whoever does it, such as a mint's log that is to be posted.
package struct WorkItem: Hashable, Sendable {
    /// How many bytes of all three together a queue takes.
    package static let bytesMax = 1024

    /// Words of letters and digits, with dots between them.
    package let topic: String
    package let body: [UInt8]
    /// Another one with the same within the queue's window is a repetition, and dropped.
    package let id: String

    package init(topic: String, body: [UInt8], id: String) {
        self.topic = topic
        self.body = body
        self.id = id
    }
}

/// An item that was handed to somebody, who says in time what became of it.
package struct Delivery: Hashable, Sendable {
    package let item: WorkItem
    /// 1, and more when it was delivered before.
    package let attempt: Int
    /// What the queue knows it by.
    package let receipt: String

    package init(_ item: WorkItem, attempt: Int, receipt: String) {
        self.item = item
        self.attempt = attempt
        self.receipt = receipt
    }
}

/// The queue is away, or has too much to do. Whether it did what it was asked isn't known.
package struct QueueUnavailable: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Brings work from those who find it to those who do it. It's weak: it may lose everything, and deliver what it has
/// twice. So it only ever carries hints at what is in the store (DP-4).
///
/// It's bounded: what is oldest goes first. Every call ends in time, whatever becomes of the queue.
package protocol WorkQueue: Sendable {
    /// Returns when the queue has it.
    func publish(_ item: WorkItem) async throws(QueueUnavailable)

    /// Some items, each for one of those who ask; none when there were none in so much time. What isn't acknowledged in
    /// time is delivered again.
    func receive(upTo limit: Int, wait: Duration) async throws(QueueUnavailable) -> [Delivery]

    /// It's done. When that gets lost, it's delivered again.
    func acknowledge(_ delivery: Delivery)

    /// Has it delivered again, to whomever, when so much time is over.
    func giveBack(_ delivery: Delivery, after delay: Duration)

    func close() async
}
