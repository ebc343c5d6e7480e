import HongbaoEngine
import HongbaoTesting
import Testing

/// What every queue does (DP-4): it brings each item to one of those who ask, until somebody says that it's done.
@Suite(.serialized, .timeLimit(.minutes(5))) struct QueueContractTests {
    @Test(arguments: QueueBackend.allCases) func whatIsPublishedIsDelivered(_ backend: QueueBackend) async throws {
        try await backend.with { queue in
            let items = (1...20).map { WorkItem.forTests("delivered \($0)", topic: "post.\($0)") }
            for item in items { try await queue.publish(item) }
            let deliveries = try await queue.take(20)
            #expect(Set(deliveries.map(\.item)) == Set(items) && deliveries.allSatisfy { $0.attempt == 1 })
            #expect(try await queue.receive(upTo: 1, wait: .milliseconds(50)).isEmpty)
        }
    }

    @Test(arguments: QueueBackend.allCases) func whatIsRepeatedComesOnce(_ backend: QueueBackend) async throws {
        try await backend.with { queue in
            for _ in 0..<3 { try await queue.publish(.forTests("repeated")) }
            #expect(try await queue.take(1).map(\.item) == [.forTests("repeated")])
            // Nor after it's done.
            try await queue.publish(.forTests("repeated"))
            try await queue.publish(.forTests("another"))
            #expect(try await queue.take(1).map(\.item) == [.forTests("another")])
            #expect(try await queue.receive(upTo: 10, wait: .milliseconds(50)).isEmpty)
        }
    }

    @Test(arguments: QueueBackend.allCases) func theUnacknowledgedComeAgain(_ backend: QueueBackend) async throws {
        try await backend.with(acknowledgeWithin: .milliseconds(500)) { queue in
            try await queue.publish(.forTests("left"))
            let first = try await queue.receive(upTo: 10, wait: .seconds(10))
            #expect(first.map(\.attempt) == [1])
            #expect(try await queue.receive(upTo: 10, wait: .milliseconds(1)).isEmpty)
            let second = try await queue.receive(upTo: 10, wait: .seconds(30))
            #expect(second.map(\.item) == first.map(\.item) && second.map(\.attempt) == [2])
            for delivery in second { queue.acknowledge(delivery) }
            #expect(try await queue.receive(upTo: 10, wait: .milliseconds(1_000)).isEmpty)
        }
    }

    @Test(arguments: QueueBackend.allCases) func whatIsGivenBackComesLater(_ backend: QueueBackend) async throws {
        try await backend.with { queue in
            try await queue.publish(.forTests("given back"))
            let began = ContinuousClock.now
            let first = try await queue.receive(upTo: 1, wait: .seconds(10))
            for delivery in first { queue.giveBack(delivery, after: .milliseconds(400)) }
            let second = try await queue.take(1)
            #expect(second.map(\.item) == first.map(\.item) && second.map(\.attempt) == [2])
            #expect(ContinuousClock.now - began >= .milliseconds(400))
            // At once, where that's wanted.
            try await queue.publish(.forTests("not wanted"))
            for delivery in try await queue.receive(upTo: 1, wait: .seconds(10)) {
                queue.giveBack(delivery, after: .zero)
            }
            #expect(try await queue.take(1).map(\.attempt) == [2])
        }
    }

    @Test(arguments: QueueBackend.allCases) func twoShareTheWork(_ backend: QueueBackend) async throws {
        try await backend.with { queue in
            let items = (0..<200).map { WorkItem.forTests("shared \($0)") }
            for item in items { try await queue.publish(item) }
            let shares = try await withThrowingTaskGroup(of: [Delivery].self) { group in
                for _ in 0..<2 { group.addTask { try await queue.take(100) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            // Each has its part, and nobody has what the other has.
            #expect(shares.map(\.count) == [100, 100])
            #expect(Set(shares.joined().map(\.item)) == Set(items))
        }
    }

    @Test(arguments: QueueBackend.allCases) func waitingHasAnEnd(_ backend: QueueBackend) async throws {
        try await backend.with { queue in
            let began = ContinuousClock.now
            #expect(try await queue.receive(upTo: 10, wait: .milliseconds(300)).isEmpty)
            let waited = ContinuousClock.now - began
            #expect(waited >= .milliseconds(290) && waited < .seconds(10))
            // Who waits is woken.
            async let delivered = queue.receive(upTo: 10, wait: .seconds(60))
            try await queue.publish(.forTests("awaited"))
            for delivery in try await delivered { queue.acknowledge(delivery) }
            #expect(ContinuousClock.now - began < .seconds(30))
        }
    }
}
