import HongbaoCore
import HongbaoEngine
import Synchronization

/// What clients remember of themselves and each other, as phones and services do.
final class Memory: Sendable {
    struct Kept: Sendable {
        let order: OrderNumber
        let amount: Int64
        let token: [UInt8]
    }

    private struct State {
        var requests: [GrantRequest] = []
        var tokens: [Kept] = []
        var withdrawals: [(key: WithdrawalKey, amount: Int64)] = []
        var balances: [PersonID: Int64] = [:]
        var drafts: [RedPacketDraft] = []
        var packets: [RedPacket] = []
        var wishes: [(draft: RedPacketDraft, subsidy: OrderNumber)] = []
    }

    private let state = Mutex(State())

    var requests: [GrantRequest] { state.withLock { $0.requests } }
    var tokens: [Kept] { state.withLock { $0.tokens } }
    var withdrawals: [(key: WithdrawalKey, amount: Int64)] { state.withLock { $0.withdrawals } }

    var drafts: [RedPacketDraft] { state.withLock { $0.drafts } }
    /// As they were when they were sent.
    var packets: [RedPacket] { state.withLock { $0.packets } }

    /// What was sent, or tried to be, with a subsidy.
    var wishes: [(draft: RedPacketDraft, subsidy: OrderNumber)] { state.withLock { $0.wishes } }

    /// What a person's wallet said last.
    func balance(of person: PersonID) -> Int64? { state.withLock { $0.balances[person] } }

    func keep(_ balance: Int64, of person: PersonID) { state.withLock { $0.balances[person] = balance } }
    func keep(_ request: GrantRequest) { state.withLock { $0.requests.append(request) } }
    func keep(_ token: Kept) { state.withLock { $0.tokens.append(token) } }
    func keep(_ draft: RedPacketDraft) { state.withLock { $0.drafts.append(draft) } }
    func keep(_ draft: RedPacketDraft, by subsidy: OrderNumber) {
        state.withLock { $0.wishes.append((draft, subsidy)) }
    }
    func keep(_ packet: RedPacket) { state.withLock { $0.packets.append(packet) } }
    func keep(_ key: WithdrawalKey, _ amount: Int64) { state.withLock { $0.withdrawals.append((key, amount)) } }
}

/// One of several who use the platform at the same time, among them somebody who tries what isn't allowed.
struct Client: Sendable {
    let world: World
    let memory: Memory
    let setup: Setup
    let thief: Thief
    let desk: Desk
    let cashier: SimulatedCashier
    /// The process that a request reaches now.
    let process: @Sendable () -> SimulatedProcess
    /// A process that may have been replaced without knowing it; grants reach it too.
    let staleProcess: @Sendable () -> SimulatedProcess
    /// The process dies in a moment.
    let killSoon: @Sendable () -> Void

    static let people: Int = 6

    /// - Parameter operations: grants and shares that are asked for, wallets read, withdrawals and look-ups, at least.
    func run(operations: Int) async {
        var done = 0
        while done < operations {
            // As who finds the door closed and comes again.
            for _ in 0..<16 where !process().isReady { await world.pause(milliseconds: 300) }
            if world.draw(3) == 0 { await world.pause(milliseconds: world.draw(60)) }
            lookAtTotal()
            var count = 1
            switch world.draw(100) {
            case ..<48:
                count += world.draw(world.draw(4) == 0 ? 1 : 8)
                await grant(count)
            case ..<63: await readWallet()
            case ..<74: await withdraw()
            case ..<77: await find()
            case ..<80 where setup.coupons != nil: await redeem()
            case ..<98:
                if setup.merges, world.draw(2) == 0 { await identify() } else { count = await handlePackets() }
            default:
                count = 0
                await world.pause(milliseconds: world.draw(1_000))
            }
            done += count
        }
    }

    private func lookAtTotal() {
        let current = process()
        current.lookAtTotal(isCurrent: true)
        let stale = staleProcess()
        if stale !== current { stale.lookAtTotal(isCurrent: false) }
    }

    private func person() -> PersonID { PersonID(UInt64(world.draw(Self.people) + 1)) }
    func phase() -> Phase? { campaign?.phaseShown(at: world.now) }
    private var campaign: Campaign? { desk.campaigns.campaign(Setup.campaign) }

    private enum Prospect { case good, revoked, either }

    /// What a process must make of a token that it has issued to this person.
    private func prospect(of token: [UInt8], at process: SimulatedProcess) -> Prospect {
        guard case .token(let parsed) = GrantToken.parse(token[...]) else { return .good }
        let header = parsed.header
        let epoch = MintEpoch(mint: header.mint, epoch: header.epoch)
        if process.revoked.contains(epoch) { return .revoked }
        // The clock was set back: it's one of the future.
        let isEarly = header.at > world.now.advanced(bySeconds: TokenVerifier.clockToleranceSeconds)
        return isEarly || world.isSuspect(epoch) ? .either : .good
    }

    // MARK: Grants

    private func grant(_ count: Int) async {
        let requests = (0..<count).map { _ in request() }
        guard let book = phase()?.book else { return await grantOutside(requests) }
        let isOver = campaign?.phase(at: world.now) == nil
        let jumps = world.jumps
        let generation = desk.generation
        let orders = requests.map { request in order(of: request, in: book) }
        var wasAcknowledged: [Bool] = []
        for (request, order) in zip(requests, orders) {
            let amount = request.amount ?? 0
            wasAcknowledged.append(order.map { world.auditor.isAcknowledged($0, amount) } ?? false)
            for kind in [PhaseKind.rollout, .live] {
                // The phase may change before the request arrives.
                let book = BookID(campaign: Setup.number, phase: kind)
                if let order = self.order(of: request, in: book) { world.auditor.asked(order, amount) }
            }
            memory.keep(request)
        }
        let target = world.happens(world.faults.strays) ? staleProcess() : process()
        let hadEarned = orders.map { order in
            target === process() && (order.map { world.auditor.isAcknowledgedToOtherName($0) } ?? false)
        }
        guard let answers = await target.call({ engine in await engine.granting.grant(requests) }) else { return }
        for case (.granted(let granted), true) in zip(answers, hadEarned)
        where !granted.isReplay && granted.order.book == book {
            world.auditor.violation("ID-3: what was earned before a merge is earned again")
        }
        for index in wasAcknowledged.indices {
            // One that was taken over doesn't know what its successor has accepted, and who names another's order is
            // refused in any case.
            let isOwn = requests[index].order.map { $0 == orders[index] } ?? true
            if target !== process() || !isOwn { wasAcknowledged[index] = false }
        }
        // One that was taken over isn't told of changes, and goes on repeating what it knows by the file that it has.
        let hasFile = target.engine?.campaigns.current.version == desk.campaigns.version
        let isSameFile = generation != nil && desk.generation == generation && hasFile
        let isSamePhase = phase()?.book == book && world.jumps == jumps && isSameFile
        for case .granted(let granted) in answers where isSamePhase {
            if granted.order.book != book { world.auditor.violation("M13: a grant of another phase") }
            if isOver, !granted.isReplay { world.auditor.violation("M13: a grant after the campaign's end") }
        }
        guard answers.count == requests.count else { return world.auditor.violation("fewer answers than requests") }
        for (index, answer) in answers.enumerated() {
            take(answer, requests[index], orders[index], wasAcknowledged[index], isSamePhase: isSamePhase)
        }
    }

    /// Asks before the campaign's begin, when nothing may be granted.
    private func grantOutside(_ requests: [GrantRequest]) async {
        let jumps = world.jumps
        let answers = await process().call { engine in await engine.granting.grant(requests) } ?? []
        guard world.jumps == jumps else { return }
        for case .granted in answers { world.auditor.violation("M13: a grant before the campaign's begin") }
    }

    private func take(
        _ answer: GrantAnswer,
        _ request: GrantRequest,
        _ order: OrderNumber?,
        _ wasAcknowledged: Bool,
        isSamePhase: Bool
    ) {
        let amount = request.amount ?? 0
        switch answer {
        case .granted(let granted):
            let known = wasAcknowledged && granted.order == order
            world.auditor.granted(granted, request, wasAcknowledged: known)
            memory.keep(Memory.Kept(order: granted.order, amount: granted.amount.fen, token: granted.token))
        case .refused(.orderConflict) where request.scene == Setup.couponKey:
            if let order, isSamePhase { world.auditor.conflict(order, naming: request.rewardID) }
        case .refused(.orderConflict):
            if let order, isSamePhase { world.auditor.conflict(order, amount) }
        case .refused(let refusal):
            if let order { world.auditor.tell("answer: \(order) of \(amount) fen is refused: \(refusal)") }
            world.auditor.note(Int64(refusal.rawValue))
            if wasAcknowledged, isSamePhase { world.auditor.violation("M14: an accepted order is refused: \(refusal)") }
        case .unavailable(let fault):
            if let order { world.auditor.tell("answer: \(order) of \(amount) fen: \(fault)") }
            world.auditor.note(-1)
        }
    }

    /// Mostly something new; often a repeat, and of those some with another amount or app.
    private func request() -> GrantRequest {
        let known = memory.requests
        if !known.isEmpty, world.draw(3) == 0 {
            var request = known[world.draw(known.count)]
            switch world.draw(8) {
            case 0 where request.scene == Setup.couponKey: request.rewardID = Setup.Coupons.keys[world.draw(2)]
            case 0: request.amount = Int64(world.draw(600))
            case 1: request.app = Setup.apps[world.draw(2)]
            case 2: request.openedAt = world.now.advanced(bySeconds: -Int64(world.draw(1_000)))
            default: break
            }
            return request
        }
        if setup.coupons != nil, world.draw(4) == 0 { return couponRequest(by: person()) }
        var request = GrantRequest(
            campaign: world.draw(60) == 0 ? "none" : Setup.campaign,
            scene: Setup.scenes[world.draw(4) == 0 ? 1 : 0],
            rain: RainID(UInt16(world.draw(60) == 0 ? 99 : world.draw(Int(Setup.rainMax)) + 1)),
            awardType: UInt8(world.draw(2) + 1),
            stage: UInt8(world.draw(2)),
            person: world.draw(80) == 0 ? PersonID(0) : person(),
            app: Setup.apps[world.draw(2)],
            amount: Int64(world.draw(40) == 0 ? 501 + world.draw(100) : world.draw(300)),
            openedAt: world.draw(3) == 0 ? world.now.advanced(bySeconds: Int64(world.draw(800)) - 400) : nil
        )
        // Somebody tries to be paid for another's order.
        if world.draw(40) == 0, let other = memory.tokens.last?.order { request.order = other }
        return request
    }

    func order(of request: GrantRequest, in book: BookID) -> OrderNumber? {
        let keys = Setup.scenes + (setup.coupons == nil ? [] : [Setup.couponKey])
        guard request.campaign == Setup.campaign, let scene = keys.firstIndex(of: request.scene) else { return nil }
        return OrderNumber(
            person: request.person,
            scene: SceneID(book: book, number: UInt16(scene + 1)),
            rain: request.rain,
            awardType: request.awardType,
            stage: request.stage
        )
    }

    // MARK: Wallets

    private func readWallet() async {
        let person = person()
        let jumps = world.jumps
        let tokens = memory.tokens
        let target = process()
        var sent: [[UInt8]] = []
        var honest: Set<OrderNumber> = []
        var forged: Set<Int> = []
        var revoked: Set<Int> = []
        var doubtful: Set<Int> = []
        var chosen: [OrderNumber] = []
        var owners: [Int: PersonID] = [:]
        // Each needs a signature check, which is the dearest part of a simulation.
        for _ in 0..<(tokens.isEmpty || world.draw(2) == 0 ? 0 : world.draw(3)) {
            let kept = tokens[world.draw(tokens.count)]
            var token = kept.token
            chosen.append(kept.order)
            if world.draw(4) == 0 {
                let place = world.draw(token.count)
                token[place] ^= 1 << UInt8(world.draw(8))
                forged.insert(sent.count)
            } else if kept.order.person == person {
                switch prospect(of: token, at: target) {
                case .good: honest.insert(kept.order)
                case .revoked: revoked.insert(sent.count)
                case .either: doubtful.insert(sent.count)
                }
            } else {
                forged.insert(sent.count)
                owners[sent.count] = kept.order.person
            }
            sent.append(token)
        }
        if let stolen = thief.token(of: person), world.draw(5) == 0 { sent.append(stolen) }
        let floor = world.auditor.floor(of: person)
        let all = sent
        let answer = await target.call { engine in
            await engine.wallets.read(person: person, campaign: Setup.campaign, tokens: all)
        }
        guard case .wallet(let reading)? = answer else { return }
        world.auditor.shown(reading, floor: floor, sent: world.jumps == jumps ? honest : [])
        // Good or not, whose they were may have been their own other name all the time, or since a moment.
        for (index, owner) in owners where world.auditor.areSame(owner, person) {
            forged.remove(index)
            doubtful.insert(index)
        }
        checkPages(reading.view)
        memory.keep(reading.view.balance, of: person)
        let ofThisBook = chosen.enumerated().filter { $1.book == reading.book }.map(\.offset)
        let expected = forged.union(revoked).union(doubtful)
        let isRefused = ofThisBook.contains {
            reading.rejectedTokens.contains($0) && !expected.contains($0)
        }
        if world.jumps == jumps, isRefused {
            world.auditor.violation("M14: a grant was answered with a token that isn't its own")
        }
        for index in revoked where !reading.rejectedTokens.contains(index) {
            world.auditor.violation("TK-9: a token of a revoked epoch was taken")
        }
        for index in forged where !reading.rejectedTokens.contains(index) {
            world.auditor.violation("TK-9: a token was taken that isn't this person's or was altered")
        }
    }

    /// M11: page by page it's the same statement.
    private func checkPages(_ view: WalletView) {
        var paged: [StatementEntry] = []
        var cursor: StatementCursor?
        repeat {
            let page = view.page(after: cursor, limit: 3)
            paged += page.entries
            cursor = page.next
        } while cursor != nil
        if paged != view.page(after: nil, limit: .max).entries { world.auditor.violation("M11: pages differ") }
    }

    // MARK: Withdrawals

    private func withdraw() async {
        let known = memory.withdrawals
        guard let book = phase()?.book else { return }
        var key = WithdrawalKey(person: person(), book: book, id: "w\(world.draw(1_000))")
        var fen = Int64(world.draw(4) == 0 ? world.draw(1_000) : world.draw(60))
        if !known.isEmpty, world.draw(3) == 0 {
            let earlier = known[world.draw(known.count)]
            key = earlier.key
            if world.draw(3) > 0 { fen = earlier.amount }
            // The same, perhaps under another name of the same person.
            if setup.merges, world.draw(3) == 0 {
                key = WithdrawalKey(person: person(), book: earlier.key.book, id: earlier.key.id)
            }
        }
        // All there is, or one fen more.
        if let key, fen % 4 == 0, let balance = memory.balance(of: key.person) { fen = balance + Int64(world.draw(2)) }
        guard let key, let amount = Amount(fen: fen) else { return }
        let surely = world.auditor.surelyGranted(key.person, in: key.book)
        world.auditor.withdrawalAsked(key, fen)
        memory.keep(key, fen)
        let now = world.now
        let answer = await process().call { engine in
            // As the gateway does.
            let phase = engine.campaigns.current.phase(key.book)
            return await engine.withdrawals.request(key, amount: amount, now: now) { person, now in
                phase?.withdrawalState(for: person, at: now)?.isOpen ?? false
            }
        }
        switch answer {
        case .accepted(let withdrawal), .replayed(let withdrawal):
            world.auditor.withdrawalAccepted(withdrawal, fen)
        case .conflict: world.auditor.withdrawalConflict(key, fen)
        case .insufficientBalance:
            if fen > 0 { world.auditor.refusedAsInsufficient(key, fen, surelyGranted: surely) }
        case .amountInvalid: if fen > 0 { world.auditor.violation("a good amount was refused") }
        case .closed, .unavailable, nil: world.auditor.note(-2)
        }
    }

    /// GR-4: what became of an order can be asked.
    private func find() async {
        guard let kept = memory.tokens.last else { return }
        let found = await process().call { engine -> GrantView?? in
            do throws(StoreError) {
                return .some(try await engine.granting.find(kept.order))
            } catch {
                return nil
            }
        }
        guard let found = found ?? nil else { return }
        if found?.amount.fen != kept.amount {
            world.auditor.violation(
                "GR-4: an accepted order isn't found: \(kept.order) \(kept.amount) \(String(describing: found))"
            )
        }
    }
}
