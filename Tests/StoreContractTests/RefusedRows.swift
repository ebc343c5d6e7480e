import Foundation
import GRDB
import Testing

/// A statement that a schema must refuse, and what its complaint must hold.
struct Refusal: CustomStringConvertible {
    let complaint: String
    let sql: String
    let description: String

    /// Each line is a requirement, what the complaint must hold, and a statement.
    static func lines(_ text: String) -> [Refusal] {
        text.split(separator: "\n").map { line in
            let columns = line.split(separator: "|", maxSplits: 2).map { $0.trimmingCharacters(in: .whitespaces) }
            return Refusal(complaint: columns[1], sql: columns[2], description: String(line))
        }
    }
}

extension DatabaseQueue {
    /// `refused` has lines of `Refusal`; each line of `allowed` is a statement.
    func expect(refused: String, allowed: String) async throws {
        for line in Refusal.lines(refused) {
            let (expected, sql) = (line.complaint, line.sql)
            let complaint: String
            do {
                try await write { database in try database.execute(sql: sql) }
                complaint = "accepted"
            } catch {
                complaint = (error as? DatabaseError)?.message ?? "\(error)"
            }
            #expect(complaint.contains(expected), "\(line): \(complaint)")
        }
        for line in allowed.split(separator: "\n") {
            try await write { database in try database.execute(sql: String(line)) }
        }
    }
}
