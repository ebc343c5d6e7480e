package import HongbaoCore
import Metrics
import Synchronization

/// What a person is told who asks for a share.
package enum ClaimAnswer: Hashable, Sendable {
    case decided(ClaimOutcome)
    /// Too many are at it: ask again in a moment, at most ten times (RP-7).
    case tryLater
    /// Nothing is known to have happened. The same request can be repeated safely.
    case unavailable(StoreError)
}

/// Lets the claims of one packet share transactions: whoever comes while one is under way waits for the next.
///
/// `LaneTable` decides who waits and who leads; this holds its lock, and resumes whom it's told to. No task is started:
/// a leader works in the task that asked, for one transaction.
package final class ClaimLanes: Sendable {
    /// What persons are to the sender, in their order; `nil` when nobody can say now. Must have a deadline of its own.
    package typealias Relate =
        @Sendable (_ sender: PersonID, _ persons: [PersonID]) async -> [Claimant.Relation]?
    package typealias Limits = LaneTable<CheckedContinuation<Signal, Never>>.Limits

    package enum Signal: Sendable {
        /// Carry out the next batch, and tell those of the one before.
        case lead(after: Ended?)
        case answer(ClaimAnswer)
    }

    /// A batch that is decided, whose claimants but for the first wait to be told.
    package struct Ended: Sendable {
        fileprivate let batch: [LaneTable<Continuation>.Entry]
        fileprivate let answer: @Sendable (Int) -> ClaimAnswer

        func tell() {
            for (index, entry) in batch.enumerated() { entry.waiter?.resume(returning: .answer(answer(index))) }
        }
    }

    fileprivate typealias Continuation = CheckedContinuation<Signal, Never>

    private let claiming: Claiming
    private let relate: Relate
    private let table: Mutex<LaneTable<Continuation>>
    private let metrics = ClaimMetrics()

    package init(_ claiming: Claiming, relate: @escaping Relate, limits: Limits = Limits()) {
        self.claiming = claiming
        self.relate = relate
        table = Mutex(LaneTable(limits: limits))
    }

    /// Asks for a share of a packet. Answered when it's durable (GR-5). A cancelled task gets `tryLater`, unless its
    /// claim is already being carried out.
    package func claim(_ packet: RedPacketID, by person: PersonID) async -> ClaimAnswer {
        let answer = await enter(packet, Claimant(person))
        metrics.count(answer)
        return answer
    }

    /// Packets with claims under way, and packets remembered.
    package var counts: (lanes: Int, idle: Int) { table.withLock { ($0.laneCount, $0.idleCount) } }

    private func enter(_ packet: RedPacketID, _ claimant: Claimant) async -> ClaimAnswer {
        let ticket = Mutex<UInt64?>(nil)
        let signal = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Continuation) in
                let admission = table.withLock { table in
                    let admission = Task.isCancelled ? .tryLater : table.enter(packet, claimant, waiter: continuation)
                    if case .wait(let number) = admission { ticket.withLock { $0 = number } }
                    return admission
                }
                switch admission {
                case .lead: continuation.resume(returning: .lead(after: nil))
                case .tryLater: continuation.resume(returning: .answer(.tryLater))
                case .wait: break
                }
            }
        } onCancel: {
            let waiter = table.withLock { table in
                ticket.withLock { $0 }.flatMap { table.leave(packet, ticket: $0) }
            }
            waiter?.resume(returning: .answer(.tryLater))
        }
        switch signal {
        case .answer(let answer): return answer
        case .lead(let ended): return await lead(packet, after: ended)
        }
    }

    /// Carries out one batch, the own claim among them, and hands on.
    private func lead(_ packet: RedPacketID, after ended: Ended?) async -> ClaimAnswer {
        if let facts = table.withLock({ $0.facts(of: packet) }) {
            return await lead(packet, facts, take(packet), after: ended)
        }
        ended?.tell()
        do throws(StoreError) {
            guard let facts = try await claiming.facts(of: packet) else {
                return end(packet, take(packet), nil) { _ in .decided(.unknown) }
            }
            turnAway(facts, packet)
            return await lead(packet, facts, take(packet), after: nil)
        } catch {
            return end(packet, take(packet), nil) { _ in .unavailable(error) }
        }
    }

    /// Those of the batch before are told while this one is on its way: there may be as many of them, and the store
    /// would stand idle meanwhile.
    private func lead(
        _ packet: RedPacketID,
        _ facts: PacketFacts,
        _ batch: [LaneTable<Continuation>.Entry],
        after ended: Ended?
    ) async -> ClaimAnswer {
        let result: Result<Decided, StoreError>
        if let ended {
            async let told: Void = ended.tell()
            result = await decide(facts, batch)
            await told
        } else {
            result = await decide(facts, batch)
        }
        switch result {
        case .success((let outcomes, let now)):
            metrics.batchSize.record(Int64(batch.count))
            let isMixedUp = Mutant.isOn(.mixesUpClaims)
            return end(packet, batch, now) { .decided(outcomes[isMixedUp ? outcomes.count - 1 - $0 : $0]) }
        case .failure(let error): return end(packet, batch, nil) { _ in .unavailable(error) }
        }
    }

    private typealias Decided = (outcomes: [ClaimOutcome], facts: PacketFacts)

    private func decide(
        _ facts: PacketFacts,
        _ batch: [LaneTable<Continuation>.Entry]
    ) async -> Result<Decided, StoreError> {
        guard let claimants = await relations(of: batch, to: facts.packet) else {
            return .failure(StoreError(.unavailable, "nobody can say now who may claim it"))
        }
        do throws(StoreError) {
            return .success(try await claiming.carryOut(facts, claimants))
        } catch {
            return .failure(error)
        }
    }

    private func take(_ packet: RedPacketID) -> [LaneTable<Continuation>.Entry] {
        table.withLock { $0.takeBatch(of: packet) }
    }

    private func turnAway(_ facts: PacketFacts, _ packet: RedPacketID) {
        for waiter in table.withLock({ $0.learn(facts, of: packet) }) {
            waiter.resume(returning: .answer(.tryLater))
        }
    }

    /// Hands the lane and those who wait for this batch's answers to the next leader, if there is one. The leader's own
    /// answer is that of the first in the batch.
    private func end(
        _ packet: RedPacketID,
        _ batch: [LaneTable<Continuation>.Entry],
        _ facts: PacketFacts?,
        _ answer: @escaping @Sendable (Int) -> ClaimAnswer
    ) -> ClaimAnswer {
        // What nobody has paid for yet will change; what is known of it isn't worth keeping.
        let kept = facts.flatMap { $0.packet.state.isFunded ? $0 : nil }
        let (leader, lanes, idle) = table.withLock { table in
            let leader = table.finish(packet, facts: kept)
            return (leader, table.laneCount, table.idleCount)
        }
        let ended = Ended(batch: batch, answer: answer)
        if let leader { leader.resume(returning: .lead(after: ended)) } else { ended.tell() }
        metrics.note(lanes: lanes, idle: idle)
        return answer(0)
    }

    private func relations(
        of batch: [LaneTable<Continuation>.Entry],
        to packet: RedPacket
    ) async -> [Claimant]? {
        switch packet.scope {
        case .everyone, .listed: return batch.map(\.claimant)
        case .followers, .friends:
            let persons = batch.map(\.claimant.person)
            guard let relations = await relate(packet.key.sender, persons), relations.count == persons.count else {
                return nil
            }
            return zip(persons, relations).map { Claimant($0, relation: $1) }
        }
    }
}

/// Metric handles of claims, made once. No label names a person or a packet.
private struct ClaimMetrics: Sendable {
    let batchSize = Recorder(label: "hongbao_claim_batch_size")
    private let claimed = counter("claimed")
    private let replayed = counter("replayed")
    private let unknown = counter("not_found")
    private let notPaid = counter("not_paid")
    private let outOfScope = counter("out_of_scope")
    private let exhausted = counter("exhausted")
    private let expired = counter("expired")
    private let tryLater = counter("try_again")
    private let unavailable = counter("unavailable")
    private let lanes = Gauge(label: "hongbao_claim_lanes", dimensions: [("state", "busy")])
    private let idle = Gauge(label: "hongbao_claim_lanes", dimensions: [("state", "idle")])

    private static func counter(_ outcome: String) -> Counter {
        Counter(label: "hongbao_claims_total", dimensions: [("outcome", outcome)])
    }

    /// Packets that are being claimed, and packets that are remembered.
    func note(lanes busy: Int, idle remembered: Int) {
        lanes.record(busy)
        idle.record(remembered)
    }

    func count(_ answer: ClaimAnswer) {
        switch answer {
        case .decided(.claimed): claimed.increment()
        case .decided(.alreadyClaimed): replayed.increment()
        case .decided(.unknown): unknown.increment()
        case .decided(.notPublished): notPaid.increment()
        case .decided(.notInScope): outOfScope.increment()
        case .decided(.exhausted): exhausted.increment()
        case .decided(.expired): expired.increment()
        case .tryLater: tryLater.increment()
        case .unavailable: unavailable.increment()
        }
    }
}
