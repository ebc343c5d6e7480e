import HongbaoEngine
import Testing

/// What is special to the queue in memory: its bounds.
@Suite struct MemoryQueueTests {
    @Test func theOldestGoFirst() async throws {
        var configuration = MemoryQueue.Configuration()
        configuration.itemsMax = 10
        let queue = MemoryQueue(configuration)
        for number in 0..<25 { try await queue.publish(.forTests("\(number)")) }
        #expect(try await queue.take(10).map(\.item.id) == (15..<25).map { "\($0)" })
        #expect(try await queue.receive(upTo: 1, wait: .zero).isEmpty)
    }

    @Test func whatWasTakenFromSomebodyIsNoLongerTheirs() async throws {
        var configuration = MemoryQueue.Configuration()
        configuration.acknowledgeWithin = .milliseconds(1)
        let queue = MemoryQueue(configuration)
        try await queue.publish(.forTests("late"))
        let first = try await queue.receive(upTo: 1, wait: .zero)
        let second = try await queue.receive(upTo: 1, wait: .seconds(10))
        for delivery in first { queue.acknowledge(delivery) }
        let third = try await queue.receive(upTo: 1, wait: .seconds(10))
        #expect([first, second, third].flatMap { $0.map(\.attempt) } == [1, 2, 3])
    }

    @Test func whoWaitsIsToldOfTheEnd() async throws {
        let queue = MemoryQueue()
        await #expect(throws: QueueUnavailable.self) {
            async let waiting = queue.receive(upTo: 1, wait: .seconds(600))
            await queue.close()
            _ = try await waiting
        }
        await #expect(throws: QueueUnavailable.self) { try await queue.publish(.forTests("too late")) }
    }
}
