package import HongbaoEngine
import HongbaoGateway

/// The audit's report for people and for programs.
package enum AuditText {
    package static func text(_ report: AuditReport) -> String {
        var lines: [String] = []
        for check in report.checks {
            let verdict = check.breachCount == 0 ? "holds" : "BREACH"
            let (name, examined) = (pad(check.invariant, 4), count(check.examined))
            lines.append("\(name)\(pad(verdict, 8))\(examined)  \(check.title)")
            for breach in check.breaches { lines.append("      \(breach)") }
            let hidden = check.breachCount - check.breaches.count
            if hidden > 0 { lines.append("      and \(hidden) more") }
        }
        let totals = report.totals
        lines.append("accepted  \(count(totals.grantsAccepted)) grants     \(yuan(totals.acceptedFen))")
        lines.append("posted    \(count(totals.grantsPosted)) grants     \(yuan(totals.postedFen))")
        lines.append("paid out  \(count(totals.withdrawalsPaid)) withdrawals \(yuan(totals.paidFen))")
        lines.append("held      \(yuan(totals.heldFen))")
        lines.append("subsidies \(count(totals.subsidiesPosted)) posted     \(yuan(totals.subsidiesFen))")
        lines.append("used      \(count(totals.subsidiesUsed)) subsidies  \(yuan(totals.subsidiesUsedFen))")
        lines.append("coupons   \(count(totals.rewardsPosted)) promised   \(totals.rewardsGiven) given")
        lines.append("sent      \(count(totals.packetsSent)) red packets \(yuan(totals.sentFen))")
        lines.append("claimed   \(yuan(totals.transferredFen)) transferred, \(yuan(totals.refundedFen)) refunded")
        if totals.personsMerged > 0 {
            lines.append("merged    \(count(totals.personsMerged)) persons    \(yuan(totals.mergedFen)) moved")
        }
        lines.append(report.holds ? "every invariant holds" : "an invariant is broken")
        return lines.joined(separator: "\n")
    }

    package static func json(_ report: AuditReport) -> String {
        var json = JSONWriter()
        json.object { json in
            json.field("holds", report.holds)
            json.key("checks")
            json.array { json in
                for check in report.checks {
                    json.object { json in
                        json.field("invariant", check.invariant)
                        json.field("title", check.title)
                        json.field("examined", Int64(check.examined))
                        json.field("breaches", Int64(check.breachCount))
                        json.key("examples")
                        json.array { json in for breach in check.breaches { json.value(breach) } }
                    }
                }
            }
            let totals = report.totals
            json.key("totals")
            json.object { json in
                json.field("grantsAccepted", Int64(totals.grantsAccepted))
                json.field("acceptedFen", Int64(clamping: totals.acceptedFen))
                json.field("grantsPosted", Int64(totals.grantsPosted))
                json.field("postedFen", Int64(clamping: totals.postedFen))
                json.field("withdrawalsPaid", Int64(totals.withdrawalsPaid))
                json.field("paidFen", Int64(clamping: totals.paidFen))
                json.field("heldFen", Int64(clamping: totals.heldFen))
                json.field("subsidiesPosted", Int64(totals.subsidiesPosted))
                json.field("subsidiesFen", Int64(clamping: totals.subsidiesFen))
                json.field("subsidiesUsed", Int64(totals.subsidiesUsed))
                json.field("subsidiesUsedFen", Int64(clamping: totals.subsidiesUsedFen))
                json.field("packetsSent", Int64(totals.packetsSent))
                json.field("sentFen", Int64(clamping: totals.sentFen))
                json.field("transferredFen", Int64(clamping: totals.transferredFen))
                json.field("refundedFen", Int64(clamping: totals.refundedFen))
                json.field("rewardsPosted", Int64(totals.rewardsPosted))
                json.field("rewardsGiven", Int64(totals.rewardsGiven))
                json.field("personsMerged", Int64(totals.personsMerged))
                json.field("mergedFen", Int64(clamping: totals.mergedFen))
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private static func count(_ number: Int) -> String { pad("\(number)", 12, isLeft: true) }

    private static func pad(_ text: String, _ width: Int, isLeft: Bool = false) -> String {
        let blanks = String(repeating: " ", count: max(0, width - text.count))
        return isLeft ? blanks + text : text + blanks
    }

    /// 元 with two decimals.
    package static func yuan(_ fen: Int128) -> String {
        let cents = String(fen % 100)
        return "¥\(fen / 100).\(cents.count < 2 ? "0" : "")\(cents)"
    }
}
