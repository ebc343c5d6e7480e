/// A phase as far as it could be read. What is `nil` has a problem of its own already.
struct PhaseDraft {
    let kind: PhaseKind
    let spot: Spot
    var window: Window?
    var admission: Admission?
    var budget: Placed<Amount>?
    var cap: Placed<Amount>?
    var rewards: [Reward] = []
    var scenes: [SceneDraft] = []
    var withdrawal: WithdrawalGate?

    /// The phase itself; asked for only when the whole file has no error.
    func finished(campaign number: UInt16) -> Phase? {
        guard let window, let admission else { return nil }
        let book = BookID(campaign: number, phase: kind)
        let scenes = scenes.compactMap { $0.finished(book: book) }
        guard scenes.count == self.scenes.count else { return nil }
        return Phase(
            kind: kind,
            book: book,
            window: window,
            admission: admission,
            budget: budget?.value ?? .zero,
            cap: cap?.value ?? .zero,
            rewards: rewards,
            scenes: scenes,
            withdrawal: withdrawal
        )
    }
}

/// A value together with the place that it was read from.
struct Placed<Value> {
    let value: Value
    let spot: Spot
}

/// Reads one phase with its rewards and scenes, and checks them against each other.
struct PhaseReader {
    var problems: ProblemList
    let apps: [App]

    mutating func read(_ entry: Entry, kind: PhaseKind) -> PhaseDraft {
        var draft = PhaseDraft(kind: kind, spot: entry.spot)
        guard
            let fields = problems.fields(
                entry.value,
                required: ["from", "to", "admission", "rewards", "scenes"],
                optional: ["budget", "cap", "withdrawal"]
            )
        else { return draft }
        draft.window = problems.window(fields)
        draft.admission = fields["admission"].flatMap { readAdmission($0) }
        draft.budget = fields["budget"].flatMap { placed($0) }
        draft.cap = fields["cap"].flatMap { placed($0) }
        draft.withdrawal = fields["withdrawal"].flatMap { readWithdrawal($0, phase: draft.window) }
        let ids = fields["rewards"].map { readRewards($0, into: &draft.rewards) } ?? [:]
        if let scenes = fields["scenes"] {
            var reader = SceneReader(problems: problems, apps: apps, rewardIDs: ids, phase: draft.window)
            draft.scenes = reader.read(scenes)
            problems = reader.problems
        }
        checkMoney(draft, has: fields)
        checkUse(of: ids, in: draft)
        return draft
    }

    private mutating func placed(_ field: RawField) -> Placed<Amount>? {
        problems.amount(field).map { Placed(value: $0, spot: field.spot) }
    }

    private mutating func readAdmission(_ field: RawField) -> Admission? {
        if case .scalar = field.node.content { return problems.word(field, [("everyone", .everyone)]) }
        guard let fields = problems.fields(field, required: [], optional: ["basisPoints", "people"]) else { return nil }
        var people: Set<PersonID>? = []
        if let listed = fields["people"] { people = problems.people(listed) }
        guard let share = fields["basisPoints"] else {
            if fields["people"] == nil {
                problems.error(
                    field.spot,
                    "says neither who is admitted nor how many",
                    hint: "write everyone, or basisPoints: 500 (5 %), or people: [10001, 10002]"
                )
                return nil
            }
            if people?.isEmpty == true { problems.warning(field.spot, "admits nobody") }
            return people.map { .listed($0) }
        }
        guard let basisPoints = problems.number(share, 0...Lottery.pointCount), let people else { return nil }
        if basisPoints == 0, people.isEmpty { problems.warning(field.spot, "admits nobody") }
        return .percentage(basisPoints: basisPoints, listed: people)
    }

    private mutating func readWithdrawal(_ field: RawField, phase: Window?) -> WithdrawalGate? {
        guard let fields = problems.fields(field, required: ["from", "to", "admission"]) else { return nil }
        let window = problems.window(fields)
        let admission = fields["admission"].flatMap { readAdmission($0) }
        if let window, let phase, let from = fields["from"], window.from < phase.from {
            problems.error(from.spot, "withdrawal opens before the phase begins, \(phase.from.iso8601())")
        }
        guard let window, let admission else { return nil }
        return WithdrawalGate(window: window, admission: admission)
    }

    /// A reward ID by its key, with the kind of the reward that it is a form of; no kind when that can't be read.
    typealias RewardIDs = [String: (id: RewardID?, kind: RewardKind?, spot: Spot)]

    private mutating func readRewards(_ field: RawField, into rewards: inout [Reward]) -> RewardIDs {
        var all: RewardIDs = [:]
        var keysByNumber: [UInt16: String] = [:]
        for entry in problems.entries(field) {
            guard let fields = problems.fields(entry.value, required: ["kind", "ids"]) else { continue }
            let kind = fields["kind"].flatMap { problems.word($0, RewardKind.allCases.map { ($0.rawValue, $0) }) }
            var ids: [RewardID] = []
            for id in fields["ids"].map({ problems.entries($0) }) ?? [] {
                let (number, inventory) = readID(id.value, kind)
                if let other = all[id.key] {
                    problems.error(id.spot, "the reward ID \(id.key.shown) is there already, at \(other.spot.path)")
                    continue
                }
                if let number, let other = keysByNumber.updateValue(id.key, forKey: number) {
                    problems.error(id.value.spot, "reward ID \(other.shown) has the number \(number) already")
                }
                let rewardID = number.map { RewardID(key: id.key, number: $0, inventory: inventory) }
                all[id.key] = (rewardID, kind, id.spot)
                if let rewardID { ids.append(rewardID) }
            }
            if let kind { rewards.append(Reward(key: entry.key, kind: kind, ids: ids)) }
        }
        return all
    }

    /// A number alone, or a map that says how many there are, too.
    private mutating func readID(_ field: RawField, _ kind: RewardKind?) -> (number: UInt16?, Inventory?) {
        if case .scalar = field.node.content { return (problems.number(field, 1...RewardID.numberMax), nil) }
        guard
            let fields = problems.fields(
                field,
                required: ["number", "inventory"],
                optional: ["reserve", "quota"]
            )
        else { return (nil, nil) }
        let number = fields["number"].flatMap { problems.number($0, 1...RewardID.numberMax) }
        if let kind, kind.carriesAmount, let spot = fields["inventory"]?.spot {
            problems.error(spot, "\(kind.rawValue) has no inventory: the budgets of its scenes bound it")
        }
        let points = fields["reserve"].flatMap { problems.number($0, 0...Lottery.pointCount) }
        let quota = fields["quota"].flatMap { problems.quota($0) }
        guard let inventory = fields["inventory"],
            let pieces = problems.number(inventory, UInt64(0)...UInt64(Inventory.piecesMax - 1)),
            let amount = Amount(fen: Int64(pieces))
        else { return (number, nil) }
        let reserve = points ?? Inventory.reserveBasisPointsDefault
        return (number, Inventory(pieces: amount, reserveBasisPoints: reserve, quota: quota))
    }

    /// Budgets add up and caps fit (BU-1, BU-2).
    private mutating func checkMoney(_ draft: PhaseDraft, has fields: Fields) {
        let cashScenes = draft.scenes.filter { $0.kind == .cash }
        if let first = cashScenes.first {
            for key in ["budget", "cap"] where fields[key] == nil {
                problems.error(draft.spot, "\(key.shown) is missing: the scene \(first.key.shown) gives cash")
            }
        }
        if let cap = draft.cap, let budget = draft.budget, budget.value < cap.value {
            problems.error(cap.spot, "the cap of \(cap.value.fen) fen is above the budget of \(budget.value.fen) fen")
        }
        for scene in cashScenes {
            if let cap = scene.cap, let most = draft.cap, most.value < cap.value {
                problems.error(
                    cap.spot,
                    "the cap of \(cap.value.fen) fen is above the phase's cap of \(most.value.fen) fen"
                )
            }
        }
        guard let budget = draft.budget else { return }
        let sum = cashScenes.reduce(Int128(0)) { $0 + Int128($1.budget?.value.fen ?? 0) }
        let rest = Int128(budget.value.fen) - sum
        if rest < 0 {
            problems.error(
                budget.spot,
                "the cash scenes' budgets add up to \(sum) fen, \(-rest) fen more than the phase has"
            )
        } else if rest > 0, draft.scenes.allSatisfy(\.isBudgetKnown) {
            problems.warning(budget.spot, "\(rest) fen of the budget belong to no scene")
        }
    }

    private mutating func checkUse(of ids: RewardIDs, in draft: PhaseDraft) {
        let given = Set(draft.scenes.flatMap { $0.gives + $0.fallback.backups.map(\.key) })
        for (key, id) in ids where !given.contains(key) {
            problems.warning(id.spot, "no scene gives \(key.shown)")
        }
    }
}

extension ProblemList {
    /// How much in how many seconds.
    mutating func quota(_ field: RawField) -> Quota? {
        guard let fields = fields(field, required: ["amount", "seconds"]) else { return nil }
        let amount = fields["amount"].flatMap { number($0, UInt64(1)...UInt64(OrderTable.amountMax)) }
        let seconds = fields["seconds"].flatMap { number($0, UInt32(1)...UInt32(86_400)) }
        guard let seconds, let amount = amount.flatMap({ Amount(fen: Int64($0)) }) else { return nil }
        return Quota(amount: amount, seconds: seconds)
    }

    /// Reads `from` and `to`, which the caller has required.
    mutating func window(_ fields: Fields) -> Window? {
        let from = fields["from"].flatMap { instant($0) }
        let to = fields["to"].flatMap { instant($0) }
        guard let from, let to else { return nil }
        guard let window = Window(from: from, to: to) else {
            error(fields["to"]?.spot ?? fields.spot, "'to' is not after 'from', \(from.iso8601())")
            return nil
        }
        return window
    }
}
