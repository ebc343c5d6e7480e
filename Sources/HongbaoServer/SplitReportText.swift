import HongbaoCore
package import HongbaoEngine

/// The check of an opened red packet, for people.
package enum SplitReportText {
    /// Writes in pieces, as a packet can have a million positions.
    package static func write(
        _ opened: OpenedSplit,
        _ report: OpenedSplit.Report,
        faultsOnly: Bool,
        to output: (String) -> Void
    ) {
        let split = opened.split
        var text = "packet      \(opened.packet.rawValue)\n"
        text += "split       \(split.kind.name), \(yuan(split.amount)) in \(split.count) shares\n"
        if report.isCommitted {
            text += "commitment  agrees\n"
        } else {
            let computed = SplitCommitment(to: opened.seed, split, of: opened.packet)
            text += "commitment  DIFFERS: published \(opened.commitment.bytes.hex)\n"
            text += "                      computed \(computed.bytes.hex)\n"
        }
        let width = "\(split.count - 1)".count
        for line in report.lines where !faultsOnly || line.verdict.isFault {
            let number = "\(line.position)"
            let blanks = String(repeating: " ", count: width - number.count)
            text += "position \(blanks)\(number)  \(yuan(line.share))  \(word(line.verdict))\n"
            if text.utf8.count > 1 << 16 {
                output(text)
                text = ""
            }
        }
        for claim in report.strays {
            text += "position \(claim.position)  there is none; \(yuan(claim.amount)) claimed\n"
        }
        text += summary(report)
        output(text)
    }

    private static func yuan(_ amount: Amount) -> String { AuditText.yuan(Int128(amount.fen)) }

    private static func word(_ verdict: OpenedSplit.Line.Verdict) -> String {
        switch verdict {
        case .agrees: "agrees"
        case .unclaimed: "unclaimed"
        case .differs(let claimed): "DIFFERS: \(yuan(claimed)) claimed"
        case .claimedTwice: "CLAIMED TWICE"
        }
    }

    private static func summary(_ report: OpenedSplit.Report) -> String {
        let claimed = report.lines.filter { $0.verdict != .unclaimed }
        var text = "claimed     \(claimed.count) of \(report.lines.count)\n"
        if let index = Split.luckiest(of: claimed.map(\.share)) {
            let luckiest = claimed[index]
            text += "luckiest    position \(luckiest.position), \(yuan(luckiest.share))\n"
        }
        if !report.isCommitted { return text + "the packet isn't the one that was committed to\n" }
        switch report.faultCount {
        case 0: return text + "everything agrees\n"
        case 1: return text + "1 position differs\n"
        case let count: return text + "\(count) positions differ\n"
        }
    }
}
