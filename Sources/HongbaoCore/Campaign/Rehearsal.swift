extension Campaign {
    package static let rehearsalSeconds: Int64 = 7 * 24 * 3600

    /// The same campaign with its live phase on from that instant for seven days: every scene of it is open all the
    /// time, and so is its withdrawal gate, which closes seven days later. Numbers, budgets, caps and who is admitted
    /// stay. Other phases keep their distance to the live one, before and after it.
    ///
    /// Answers `nil` without a live phase, or when the instant is too near the end of time.
    package func rehearsed(startingAt start: Timestamp) -> Campaign? {
        guard let live = phase(.live),
            let window = Window(from: start, to: start.advanced(bySeconds: Self.rehearsalSeconds)),
            let gate = Window(from: start, to: window.to.advanced(bySeconds: Self.rehearsalSeconds))
        else { return nil }
        var moved: [Phase] = []
        for phase in phases {
            if phase.kind == .live {
                moved.append(phase.rehearsed(in: window, gate: gate))
            } else if phase.window.to <= live.window.from {
                guard let earlier = phase.moved(from: live.window.from, to: window.from) else { return nil }
                moved.append(earlier)
            } else {
                guard let later = phase.moved(from: live.window.to, to: window.to) else { return nil }
                moved.append(later)
            }
        }
        return Campaign(key: key, number: number, title: title, apps: apps, phases: moved)
    }
}

extension Phase {
    fileprivate func rehearsed(in window: Window, gate: Window) -> Phase {
        with(
            window: window,
            scenes: scenes.map { $0.with(windows: []) },
            withdrawal: withdrawal.map { WithdrawalGate(window: gate, admission: $0.admission) }
        )
    }

    fileprivate func moved(from old: Timestamp, to new: Timestamp) -> Phase? {
        let (distance, overflow) = new.milliseconds.subtractingReportingOverflow(old.milliseconds)
        guard !overflow, let window = window.moved(by: distance) else { return nil }
        var movedScenes: [Scene] = []
        for scene in scenes {
            let windows = scene.windows.compactMap { $0.moved(by: distance) }
            guard windows.count == scene.windows.count else { return nil }
            movedScenes.append(scene.with(windows: windows))
        }
        var movedGate: WithdrawalGate?
        if let withdrawal {
            guard let window = withdrawal.window.moved(by: distance) else { return nil }
            movedGate = WithdrawalGate(window: window, admission: withdrawal.admission)
        }
        return with(window: window, scenes: movedScenes, withdrawal: movedGate)
    }

    private func with(window: Window, scenes: [Scene], withdrawal: WithdrawalGate?) -> Phase {
        Phase(
            kind: kind,
            book: book,
            window: window,
            admission: admission,
            budget: budget,
            cap: cap,
            rewards: rewards,
            scenes: scenes,
            withdrawal: withdrawal
        )
    }
}

extension Scene {
    fileprivate func with(windows: [Window]) -> Scene {
        Scene(
            id: id,
            key: key,
            play: play,
            kind: kind,
            rewardIDs: rewardIDs,
            windows: windows,
            apps: apps,
            billTitle: billTitle,
            orders: orders,
            cap: cap,
            budget: budget,
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

extension Window {
    fileprivate func moved(by milliseconds: Int64) -> Window? {
        let (from, early) = from.milliseconds.addingReportingOverflow(milliseconds)
        let (to, late) = to.milliseconds.addingReportingOverflow(milliseconds)
        guard !early, !late else { return nil }
        return Window(from: Timestamp(milliseconds: from), to: Timestamp(milliseconds: to))
    }
}
