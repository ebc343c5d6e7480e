/// A scene as far as it could be read. What is `nil` has a problem of its own already.
struct SceneDraft {
    let key: String
    var number: UInt16?
    var play: Play?
    /// The keys that it names, known or not.
    var gives: [String] = []
    var rewardIDs: [RewardID] = []
    var kind: RewardKind?
    var windows: [Window] = []
    var apps: Set<AppID>?
    var billTitle: String?
    var orders: OrderRule?
    var cap: Placed<Amount>?
    var budget: Placed<Amount>?
    var quota: Quota?
    var fallback = Fallback.none
    var draw: [DrawShare] = []
    var posting = PostingMode.async
    var rateLimit: UInt32?
    var isRetried = true
    var isInventoried = false
    var isReconciled = true

    /// Whether it can be said how much cash it may give.
    var isBudgetKnown: Bool { kind.map { $0 != .cash || budget != nil } ?? false }

    /// The scene itself; asked for only when the whole file has no error.
    func finished(book: BookID) -> Scene? {
        guard let number, let play, let kind, let billTitle, let orders, !rewardIDs.isEmpty,
            (cap != nil) == kind.carriesAmount, (budget != nil) == kind.carriesAmount
        else { return nil }
        return Scene(
            id: SceneID(book: book, number: number),
            key: key,
            play: play,
            kind: kind,
            rewardIDs: rewardIDs,
            windows: windows,
            apps: apps,
            billTitle: billTitle,
            orders: orders,
            cap: cap?.value,
            budget: budget?.value,
            quota: quota,
            fallback: fallback,
            draw: draw,
            posting: posting,
            rateLimit: rateLimit,
            isRetried: isRetried,
            isInventoried: isInventoried,
            isReconciled: isReconciled
        )
    }
}

/// Reads the scenes of one phase.
struct SceneReader {
    var problems: ProblemList
    let apps: [App]
    let rewardIDs: PhaseReader.RewardIDs
    let phase: Window?

    /// Of reward IDs, windows or apps of one scene.
    private static let listCountMax = 256

    mutating func read(_ field: RawField) -> [SceneDraft] {
        var drafts: [SceneDraft] = []
        var keysByNumber: [UInt16: String] = [:]
        for entry in problems.entries(field) {
            guard
                let fields = problems.fields(
                    entry.value,
                    required: ["number", "play", "gives", "bill", "orders"],
                    optional: [
                        "cap", "budget", "quota", "windows", "apps", "posting", "rateLimit", "retry", "inventory",
                        "fallback", "draw", "reconciliation",
                    ]
                )
            else { continue }
            let draft = read(fields, key: entry.key)
            if let number = draft.number, let other = keysByNumber.updateValue(entry.key, forKey: number) {
                let spot = fields["number"]?.spot ?? entry.spot
                problems.error(spot, "scene \(other.shown) has the number \(number) already")
            }
            drafts.append(draft)
        }
        return drafts
    }

    private mutating func read(_ fields: Fields, key: String) -> SceneDraft {
        var draft = SceneDraft(key: key)
        draft.number = fields["number"].flatMap { problems.number($0, 1...UInt16.max) }
        draft.play = fields["play"].flatMap { problems.word($0, Play.allCases.map { ($0.rawValue, $0) }) }
        if let gives = fields["gives"] { readGives(gives, into: &draft) }
        draft.billTitle = fields["bill"].flatMap { problems.text($0) }
        draft.orders = fields["orders"].flatMap { readOrders($0) }
        draft.windows = fields["windows"].map { readWindows($0) } ?? []
        draft.apps = fields["apps"].map { readApps($0) }
        let modes = PostingMode.allCases.map { ($0.rawValue, $0) }
        draft.posting = fields["posting"].flatMap { problems.word($0, modes) } ?? draft.posting
        draft.rateLimit = fields["rateLimit"].flatMap { problems.number($0, 1...UInt32.max) }
        draft.isRetried = fields["retry"].flatMap { problems.flag($0) } ?? draft.isRetried
        draft.isInventoried = fields["inventory"].flatMap { problems.flag($0) } ?? draft.isInventoried
        draft.isReconciled = fields["reconciliation"].flatMap { problems.flag($0) } ?? draft.isReconciled
        readMoney(fields, into: &draft)
        if let field = fields["fallback"] { readFallback(field, into: &draft) }
        if let field = fields["draw"] { readDraw(field, into: &draft) }
        checkInventory(fields, draft)
        return draft
    }

    private mutating func readGives(_ field: RawField, into draft: inout SceneDraft) {
        guard let fields = problems.list(field, upTo: Self.listCountMax) else { return }
        if fields.isEmpty { problems.error(field.spot, "gives nothing") }
        var kinds: [RewardKind] = []
        for field in fields {
            guard let key = problems.reference(field) else { continue }
            guard !draft.gives.contains(key) else {
                problems.error(field.spot, "the reward ID \(key.shown) is there twice")
                continue
            }
            draft.gives.append(key)
            guard let found = known(key, at: field.spot) else { continue }
            if let id = found.id { draft.rewardIDs.append(id) }
            if let kind = found.kind, !kinds.contains(kind) { kinds.append(kind) }
        }
        if kinds.count > 1 {
            problems.error(
                field.spot,
                "gives rewards of more than one kind: \(kinds.map(\.rawValue).joined(separator: ", "))",
                hint: "a scene gives exactly one kind; make a scene for each"
            )
        } else {
            draft.kind = kinds.first
        }
    }

    /// A cap and a budget, exactly when there are amounts to bound (BU-1, BU-2).
    private mutating func readMoney(_ fields: Fields, into draft: inout SceneDraft) {
        draft.cap = fields["cap"].flatMap { placed($0) }
        draft.budget = fields["budget"].flatMap { placed($0) }
        if let cap = draft.cap, let budget = draft.budget, budget.value < cap.value {
            problems.error(cap.spot, "the cap of \(cap.value.fen) fen is above the budget of \(budget.value.fen) fen")
        }
        guard let kind = draft.kind else { return }
        for key in ["cap", "budget"] {
            if kind.carriesAmount, fields[key] == nil {
                problems.error(fields.spot, "\(key.shown) is missing: the scene gives \(kind.rawValue)")
            } else if !kind.carriesAmount, let field = fields[key] {
                problems.error(field.spot, "\(kind.rawValue) carries no amount, so it has no \(key)")
            }
        }
        if kind.carriesAmount, draft.isInventoried, let field = fields["inventory"] {
            problems.error(field.spot, "\(kind.rawValue) has no inventory: its budget bounds it", hint: "write off")
        }
        guard let field = fields["quota"] else { return }
        draft.quota = problems.quota(field)
        if !kind.carriesAmount {
            let hint = "write the quota beside the inventory of its reward IDs"
            problems.error(field.spot, "\(kind.rawValue) has no budget to give out in slices", hint: hint)
        } else if let quota = draft.quota, let cap = draft.cap?.value, quota.amount < cap {
            problems.error(field.spot, "the quota of \(quota.amount.fen) fen is below the cap of \(cap.fen) fen")
        }
    }

    private mutating func readFallback(_ field: RawField, into draft: inout SceneDraft) {
        guard let fields = problems.fields(field, required: [], optional: ["backups", "blessing"]) else { return }
        if let kind = draft.kind, kind.carriesAmount {
            problems.error(field.spot, "\(kind.rawValue) has no fallback: its budget is used up, or it isn't")
        }
        var backups: [RewardID] = []
        for field in fields["backups"].flatMap({ problems.list($0, upTo: Self.listCountMax) }) ?? [] {
            guard let id = rewardID(field, of: draft) else { continue }
            if backups.contains(id) { problems.error(field.spot, "the reward ID \(id.key.shown) is there twice") }
            backups.append(id)
        }
        draft.fallback = Fallback(
            backups: backups,
            blessing: fields["blessing"].flatMap { problems.text($0) }
        )
    }

    private mutating func known(_ key: String, at spot: Spot) -> PhaseReader.RewardIDs.Value? {
        if let found = rewardIDs[key] { return found }
        let hint = ProblemList.hint(for: key, among: rewardIDs.keys.sorted())
        problems.error(spot, "unknown reward ID \(key.shown)", hint: hint)
        return nil
    }

    /// A reward ID of the scene's kind: a scene gives one (CF-2).
    private mutating func rewardID(_ field: RawField, of draft: SceneDraft) -> RewardID? {
        guard let key = problems.reference(field) else { return nil }
        guard let found = known(key, at: field.spot) else { return nil }
        if let kind = draft.kind, let other = found.kind, kind != other {
            problems.error(
                field.spot,
                "\(key.shown) is \(other.rawValue), and the scene gives \(kind.rawValue)",
                hint: "a scene gives exactly one kind"
            )
        }
        return found.id
    }

    /// Shares in basis points, of what the scene gives; the rest draws the blessing.
    private mutating func readDraw(_ field: RawField, into draft: inout SceneDraft) {
        if let kind = draft.kind, kind.carriesAmount {
            problems.error(field.spot, "\(kind.rawValue) isn't drawn: callers say how much is given")
        }
        var sum: UInt32 = 0
        for entry in problems.entries(field) {
            let points = problems.number(entry.value, 1...Lottery.pointCount)
            sum += UInt32(points ?? 0)
            guard draft.gives.contains(entry.key) else {
                problems.error(entry.spot, "the scene doesn't give \(entry.key.shown)")
                continue
            }
            if let points, let id = draft.rewardIDs.first(where: { $0.key == entry.key }) {
                draft.draw.append(DrawShare(id: id, points: points))
            }
        }
        if sum > UInt32(Lottery.pointCount) {
            problems.error(field.spot, "the shares add up to \(sum), and there are \(Lottery.pointCount)")
        } else if sum < UInt32(Lottery.pointCount), draft.fallback.blessing == nil {
            let rest = UInt32(Lottery.pointCount) - sum
            let hint = "write a 'blessing' under 'fallback'"
            problems.error(field.spot, "\(rest) of \(Lottery.pointCount) points give nothing", hint: hint)
        }
    }

    /// Inventory control is on for a scene exactly when all that it gives is counted (BU-3, CF-2).
    private mutating func checkInventory(_ fields: Fields, _ draft: SceneDraft) {
        guard let kind = draft.kind, !kind.carriesAmount else { return }
        let spot = fields["inventory"]?.spot ?? fields.spot
        for id in draft.rewardIDs + draft.fallback.backups where (id.inventory != nil) != draft.isInventoried {
            let why =
                draft.isInventoried
                ? "inventory is on, and nothing says how many of \(id.key.shown) there are"
                : "inventory is off, and \(id.key.shown) has one"
            let hint = draft.isInventoried ? "write { number: \(id.number), inventory: 10000 }" : "write inventory: on"
            problems.error(spot, why, hint: hint)
        }
        if draft.posting == .sync, let field = fields["posting"] {
            problems.error(field.spot, "\(kind.rawValue) is given by another system, so it can't be posted at once")
        }
    }

    private mutating func placed(_ field: RawField) -> Placed<Amount>? {
        problems.amount(field).map { Placed(value: $0, spot: field.spot) }
    }

    private mutating func readWindows(_ field: RawField) -> [Window] {
        guard let fields = problems.list(field, upTo: Self.listCountMax) else { return [] }
        if fields.isEmpty { problems.error(field.spot, "leaves no time to play", hint: "leave 'windows' out") }
        var windows: [(window: Window, spot: Spot)] = []
        for field in fields {
            guard let ends = problems.fields(field, required: ["from", "to"]), let window = problems.window(ends)
            else { continue }
            if let phase, !phase.contains(window) {
                problems.error(
                    field.spot,
                    "the window is not inside the phase, \(phase.from.iso8601()) to \(phase.to.iso8601())"
                )
            }
            windows.append((window, field.spot))
        }
        windows.sort { ($0.window.from, $0.spot.place) < ($1.window.from, $1.spot.place) }
        for (earlier, later) in zip(windows, windows.dropFirst()) where earlier.window.overlaps(later.window) {
            problems.error(
                later.spot,
                "overlaps the window \(earlier.window.from.iso8601()) to \(earlier.window.to.iso8601())"
            )
        }
        return windows.map(\.window)
    }

    private mutating func readApps(_ field: RawField) -> Set<AppID> {
        guard let fields = problems.list(field, upTo: Self.listCountMax) else { return [] }
        if fields.isEmpty { problems.error(field.spot, "leaves no app to play in", hint: "leave 'apps' out") }
        var ids: Set<AppID> = []
        for field in fields {
            guard let key = problems.reference(field) else { continue }
            guard let app = apps.first(where: { $0.key == key }) else {
                problems.error(
                    field.spot,
                    "unknown app \(key.shown)",
                    hint: ProblemList.hint(for: key, among: apps.map(\.key))
                )
                continue
            }
            if !ids.insert(app.id).inserted { problems.error(field.spot, "the app \(key.shown) is there twice") }
        }
        return ids
    }

    private mutating func readOrders(_ field: RawField) -> OrderRule? {
        guard
            let fields = problems.fields(field, required: ["rains", "awardTypes", "stages"], optional: ["template"])
        else { return nil }
        let rains = fields["rains"].flatMap { problems.ranges($0, upTo: .max) }
        let awardTypes = fields["awardTypes"].flatMap { problems.ranges($0, upTo: UInt16(UInt8.max)) }
        let stages = fields["stages"].flatMap { problems.ranges($0, upTo: UInt16(UInt8.max)) }
        if let template = fields["template"] {
            problems.checkOrderTemplate(template, awardTypes: awardTypes, stages: stages)
        }
        guard let rains, let awardTypes, let stages else { return nil }
        return OrderRule(rains: rains, awardTypes: awardTypes, stages: stages)
    }
}
