/// Something in a campaign file that keeps it from being applied, or that its author should look at.
package struct CampaignProblem: Hashable, Sendable {
    package enum Severity: Hashable, Sendable {
        case error
        case warning
    }

    package let severity: Severity
    package let place: Place
    /// The keys from the root of the file, such as `phases.live.scenes.rain.cap`; empty for the file as a whole.
    package let path: String
    package let message: String
    /// What to do about it.
    package let hint: String?

    package init(severity: Severity, place: Place, path: String, message: String, hint: String? = nil) {
        self.severity = severity
        self.place = place
        self.path = path
        self.message = message
        self.hint = hint
    }

    /// `file:line:column: error: message (path)`, and the hint on a line of its own.
    package func rendered(file: String) -> String {
        let kind = severity == .error ? "error" : "warning"
        let tree = path.isEmpty ? "" : " (\(path))"
        let line = "\(file):\(place.line):\(place.column): \(kind): \(message)\(tree)"
        return hint.map { "\(line)\n    hint: \($0)" } ?? line
    }

    /// In the order of the file; of two at one place, by what they say, so that the order never varies.
    package static func comesFirst(_ a: CampaignProblem, _ b: CampaignProblem) -> Bool {
        if a.place != b.place { return a.place < b.place }
        return (a.path, a.message) < (b.path, b.message)
    }
}

/// Collects problems while a file is read, so that its author sees all of them at once.
struct ProblemList {
    private(set) var items: [CampaignProblem] = []

    mutating func error(_ spot: Spot, _ message: String, hint: String? = nil) {
        add(.error, spot, message, hint)
    }

    mutating func warning(_ spot: Spot, _ message: String, hint: String? = nil) {
        add(.warning, spot, message, hint)
    }

    private mutating func add(
        _ severity: CampaignProblem.Severity,
        _ spot: Spot,
        _ message: String,
        _ hint: String?
    ) {
        items.append(
            CampaignProblem(severity: severity, place: spot.place, path: spot.path, message: message, hint: hint)
        )
    }

    var hasErrors: Bool { items.contains { $0.severity == .error } }
    var sorted: [CampaignProblem] { items.sorted(by: CampaignProblem.comesFirst) }
}

extension String {
    /// The text in quotes, short and without anything that a terminal would obey.
    package var shown: String {
        var result = "'"
        for (count, scalar) in unicodeScalars.enumerated() {
            if count == 48 { return result + "…'" }
            if scalar.isPlainText {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return result + "'"
    }
}

extension Unicode.Scalar {
    /// Neither a control, nor a mark that turns the direction of text, nor without a meaning of its own. The joiners
    /// inside an emoji are text.
    var isPlainText: Bool {
        if value == 0x200C || value == 0x200D { return true }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
