#if NATS
    import Glibc
    import HongbaoEngine
    import HongbaoNATS
    import HongbaoTesting
    import Synchronization
    import Testing

    /// What becomes of a queue on three servers while they're killed, and come back (FC-5).
    @Suite(.serialized, .timeLimit(.minutes(10))) struct NATSFaultTests {
        /// What publishers were told, and workers got.
        private final class Book: Sendable {
            struct Pages {
                var published: Set<String> = []
                var delivered: [String: Int] = [:]
                var lastAt = ContinuousClock.now
                var longestStall = Duration.zero
                var publishes = true
                var works = true
            }

            let pages = Mutex(Pages())

            func note(published id: String) {
                pages.withLock { pages in
                    let now = ContinuousClock.now
                    pages.published.insert(id)
                    pages.longestStall = max(pages.longestStall, now - pages.lastAt)
                    pages.lastAt = now
                }
            }

            func note(delivered id: String) { pages.withLock { $0.delivered[id, default: 0] += 1 } }

            var counts: (published: Int, delivered: Int) {
                pages.withLock { ($0.published.count, $0.delivered.count) }
            }
        }

        /// Publishes until it's told to stop, each item until the queue has it.
        private static func publish(_ name: Int, to queue: NATSQueue, _ book: Book, while goesOn: () -> Bool) async {
            var number = 0
            while goesOn() {
                number += 1
                let item = WorkItem.forTests("\(name)-\(number)", topic: "post.\(name)")
                while true {
                    do throws(QueueUnavailable) {
                        try await queue.publish(item)
                        book.note(published: item.id)
                        break
                    } catch {
                        await pause(.milliseconds(5), on: ContinuousClock())
                    }
                }
            }
        }

        private static func work(_ queue: NATSQueue, _ book: Book, while goesOn: () -> Bool) async {
            while goesOn() {
                do throws(QueueUnavailable) {
                    for delivery in try await queue.receive(upTo: 256, wait: .milliseconds(200)) {
                        book.note(delivered: delivery.item.id)
                        queue.acknowledge(delivery)
                    }
                } catch {
                    await pause(.milliseconds(20), on: ContinuousClock())
                }
            }
        }

        private static func until(_ isSo: () async throws -> Bool) async throws {
            while try await !isSo() { try await Task.sleep(for: .milliseconds(10)) }
        }

        @Test func nothingIsLostWithTheLeader() async throws {
            let cluster = try await NATSCluster()
            var configuration = NATSQueue.Configuration.forTests()
            configuration.answerLimit = .seconds(1)
            configuration.acknowledgeWithin = .seconds(2)
            configuration.itemsMax = 10_000_000
            let (publishers, worker) = (
                try await NATSQueue.ready(cluster, configuration), try await NATSQueue.ready(cluster, configuration)
            )
            let book = Book()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for name in 0..<32 {
                    group.addTask {
                        await Self.publish(name, to: publishers, book) { book.pages.withLock { $0.publishes } }
                    }
                }
                group.addTask { await Self.work(worker, book) { book.pages.withLock { $0.works } } }
                try await Self.until { book.counts.delivered > 2_000 }
                let (calm, began) = (book.counts.published, ContinuousClock.now)
                let leader = try #require(await cluster.leader(of: configuration.stream))
                try await cluster.kill(leader)
                try await Self.until { book.counts.published > calm + 5_000 }
                try cluster.start(leader)
                let next = book.counts.published
                try await Self.until { book.counts.published > next + 5_000 }
                let seconds = (ContinuousClock.now - began) / .seconds(1)
                book.pages.withLock { $0.publishes = false }
                let published = book.counts.published
                try await Self.until { book.pages.withLock { $0.published.isSubset(of: $0.delivered.keys) } }
                book.pages.withLock { $0.works = false }
                try await group.waitForAll()
                book.pages.withLock { pages in
                    let repeated = pages.delivered.values.reduce(0) { $0 + $1 - 1 }
                    print(
                        "leader killed: \(published) published in \(seconds) s, longest stall \(pages.longestStall), "
                            + "\(repeated) delivered again"
                    )
                    #expect(pages.longestStall < .seconds(30))
                    // After the servers have dropped repetitions, hardly anything comes twice.
                    #expect(Set(pages.delivered.keys) == pages.published && repeated < published / 10)
                }
            }
            await publishers.close()
            await worker.close()
        }

        /// Nobody waits longer than they asked for, and all goes on when the servers are back.
        @Test func whenAllAreGoneItSaysSo() async throws {
            let cluster = try await NATSCluster()
            var configuration = NATSQueue.Configuration.forTests()
            configuration.answerLimit = .seconds(1)
            let queue = try await NATSQueue.ready(cluster, configuration)
            try await queue.publish(.forTests("before"))
            try await cluster.killAll()
            try await Self.expectUnavailable(queue)
            try await cluster.startAll()
            let began = ContinuousClock.now
            try await Self.until { await queue.answers() }
            try await Self.publishAtLast("after", to: queue)
            print("all were away: back after \(ContinuousClock.now - began)")
            #expect(try await queue.take(2).map(\.item.id) == ["before", "after"])

            // With nothing: they have lost all that they had.
            try await cluster.killAll()
            try cluster.removeFiles()
            try await cluster.startAll()
            try await Self.until { await queue.answers() }
            try await Self.publishAtLast("anew", to: queue)
            #expect(try await queue.take(1).map(\.item.id) == ["anew"])
            await queue.close()
        }

        /// Servers that are there and say nothing.
        @Test func whenAllAreSilentItSaysSo() async throws {
            let cluster = try await NATSCluster()
            var configuration = NATSQueue.Configuration.forTests()
            configuration.answerLimit = .seconds(1)
            let queue = try await NATSQueue.ready(cluster, configuration)
            for index in 0..<cluster.count { cluster.signal(SIGSTOP, index) }
            try await Self.expectUnavailable(queue)
            for index in 0..<cluster.count { cluster.signal(SIGCONT, index) }
            try await Self.publishAtLast("after", to: queue)
            #expect(try await queue.take(1).count == 1)
            await queue.close()
        }

        private static func expectUnavailable(_ queue: NATSQueue) async throws {
            for number in 0..<3 {
                let began = ContinuousClock.now
                await #expect(throws: QueueUnavailable.self) { try await queue.publish(.forTests("in vain \(number)")) }
                #expect(ContinuousClock.now - began < .seconds(4))
            }
            let began = ContinuousClock.now
            // A server that has just gone silent may look as if there were nothing.
            try await until {
                let asked = ContinuousClock.now
                let answers = await queue.answers()
                #expect(ContinuousClock.now - asked < .seconds(15))
                return !answers
            }
            #expect(ContinuousClock.now - began < .seconds(30))
        }

        private static func publishAtLast(_ id: String, to queue: NATSQueue) async throws {
            try await until {
                do throws(QueueUnavailable) {
                    try await queue.publish(.forTests(id))
                    return true
                } catch {
                    return false
                }
            }
        }

        /// How many are taken a second, with as many on their way as there are callers.
        @Test func howManyASecond() async throws {
            let cluster = try await NATSCluster.forAll()
            let queue = try await NATSQueue.ready(cluster, .forTests())
            let book = Book()
            let began = ContinuousClock.now
            await withTaskGroup(of: Void.self) { group in
                for name in 0..<256 {
                    group.addTask {
                        await Self.publish(name, to: queue, book) { ContinuousClock.now - began < .seconds(2) }
                    }
                }
            }
            let (count, seconds) = (book.counts.published, (ContinuousClock.now - began) / .seconds(1))
            print("\(Int(Double(count) / seconds)) publishes a second, three replicas, 256 callers")
            #expect(count > 1_000)
            await queue.close()
        }
    }
#endif
