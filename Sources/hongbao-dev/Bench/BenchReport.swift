import Foundation
import HongbaoServer

/// The table for people, the JSON for programs, and the comparison with what was promised.
enum BenchReport {
    static func table(_ report: CaseReport) -> String {
        let ratios = Dictionary(uniqueKeysWithValues: report.ratios)
        var lines = [report.name]
        let columns = ["median", "min", "max", "goal", "× baseline", "CPU µs"]
        lines.append("  " + pad("", 36) + columns.map { pad($0, 13, isLeft: true) }.joined())
        for figure in report.figures {
            let ratio = ratios["\(report.name)/\(figure.name)"].map { number($0, digits: 2) }
            let goal = figure.goal.map { number($0) + (isMet(figure, $0) ? "" : " !") }
            let used = figure.processor.map { number($0, digits: 2) }
            let numbers = [figure.median, figure.min, figure.max].map { number($0) }
            let values = numbers + [goal, ratio, used].map { $0 ?? "" }
            let cells = values.map { pad($0, 13, isLeft: true) }.joined()
            lines.append("  " + pad(figure.name, 36) + cells + "  " + figure.unit)
        }
        return lines.joined(separator: "\n")
    }

    static func json(_ reports: [CaseReport], _ surroundings: Surroundings) throws -> String {
        struct Document: Encodable {
            let surroundings: Surroundings
            let cases: [CaseReport]
            let ratios: [String: Double]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let ratios = Dictionary(uniqueKeysWithValues: reports.flatMap(\.ratios))
        let document = Document(surroundings: surroundings, cases: reports, ratios: ratios)
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }

    /// Ratios that fall below their threshold; a ratio without one, and the other way round, is a fault of the file.
    static func shortfalls(_ reports: [CaseReport], thresholds path: String) throws -> [String] {
        let thresholds = try JSONDecoder().decode([String: Double].self, from: Data(contentsOf: URL(filePath: path)))
        var shortfalls: [String] = []
        let names = Set(reports.map(\.name))
        var missing = Set(thresholds.keys.filter { names.contains(String($0.prefix { $0 != "/" })) })
        for (key, ratio) in reports.flatMap(\.ratios) {
            missing.remove(key)
            guard let threshold = thresholds[key] else {
                shortfalls.append("\(key): \(path) has no threshold for it")
                continue
            }
            if ratio < threshold {
                shortfalls.append("\(key): \(number(ratio, digits: 2)) × its baseline, threshold \(threshold)")
            }
        }
        return shortfalls + missing.sorted().map { "\($0): in \(path), but nothing measures it" }
    }

    private static func isMet(_ figure: Figure, _ goal: Double) -> Bool {
        figure.better == .higher ? figure.median >= goal : figure.median <= goal
    }

    /// With thousands grouped.
    private static func number(_ value: Double, digits: Int = 0) -> String {
        let digits = value < 10 ? Swift.max(digits, 1) : digits
        return value.formatted(.number.precision(.fractionLength(digits)).locale(Locale(identifier: "en_US_POSIX")))
    }

    private static func pad(_ text: String, _ width: Int, isLeft: Bool = false) -> String {
        let blanks = String(repeating: " ", count: Swift.max(1, width - text.count))
        return isLeft ? blanks + text : text + blanks
    }
}

/// Where figures were taken: without it they mean little.
struct Surroundings: Sendable, Encodable {
    let cores: Int
    let processor: String
    let isRelease: Bool
    /// The system's load over a minute, before and after.
    var load: [Double]
    let repetitions: Int
    let seconds: Double

    init(_ bench: Bench) {
        cores = ProcessInfo.processInfo.activeProcessorCount
        let lines = Self.text("/proc/cpuinfo").split(separator: "\n")
        let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last
        processor = model?.trimmingCharacters(in: .whitespaces) ?? "unknown"
        #if DEBUG
            isRelease = false
        #else
            isRelease = true
        #endif
        load = [Self.currentLoad]
        repetitions = bench.repetitions
        seconds = bench.seconds
    }

    static var currentLoad: Double { text("/proc/loadavg").split(separator: " ").first.flatMap { Double($0) } ?? 0 }

    private static func text(_ path: String) -> String {
        do { return try String(contentsOfFile: path, encoding: .utf8) } catch { return "" }
    }

    var line: String {
        "\(cores) × \(processor), \(isRelease ? "release" : "DEBUG: figures mean nothing"), "
            + "load \(load.map { "\($0)" }.joined(separator: " → ")), \(repetitions) repetitions of \(seconds) s"
    }
}
