import Foundation
import GRDB
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Testing

/// Who is who in the file: the schema keeps the rules by itself, and what is written is read.
@Suite struct SQLiteIdentitySchemaTests {
    /// Users are a to d, phones 1 to 3; person 5 was merged into 6, which b and c are.
    static let valid = """
        INSERT INTO merge VALUES (5, 6, 1000);
        INSERT INTO identity VALUES
            (x'aa000000000000000000000000000000', 4, NULL, 1000, NULL),
            (x'bb000000000000000000000000000000', 6, x'01000000000000000000000000000000', 1000, 2000),
            (x'cc000000000000000000000000000000', 6, x'02000000000000000000000000000000', 1000, 2000),
            (x'dd000000000000000000000000000000', 7, x'03000000000000000000000000000000', 1000, 2000);
        INSERT INTO transfer VALUES (5, 1 << 48 | 1, 3, 5, 3, 6, 100, 1000, 2000, 0);
        INSERT INTO mint (id, epoch, last_sequence, posted_sequence) VALUES (41, 1, 0, 0);
        INSERT INTO merged_order VALUES (5, 1 << 48 | 1 << 32, 41, 3, 0, 100, 0, 0, 2);
        """

    static let refused = """
        ID-3 | ID-3   | INSERT INTO merge VALUES (8, 5, 1)
        ID-3 | UNIQUE | INSERT INTO merge VALUES (5, 7, 1)
        ID-3 | CHECK  | INSERT INTO merge VALUES (8, 8, 1)
        ID-3 | CHECK  | INSERT INTO merge VALUES (0, 8, 1)
        ID-3 | CHECK  | INSERT INTO merge VALUES (8, 0, 1)
        ID-3 | ID-3   | INSERT INTO merge VALUES (6, 5, 1)
        ID-3 | ID-3   | UPDATE merge SET target = 7
        ID-3 | ID-3   | DELETE FROM merge
        ID-2 | CHECK  | INSERT INTO identity VALUES (x'ee', 8, NULL, 1, NULL)
        ID-2 | CHECK  | INSERT INTO identity VALUES (x'ee000000000000000000000000000000', 0, NULL, 1, NULL)
        ID-2 | CHECK  | INSERT INTO identity VALUES (x'ee000000000000000000000000000000', 8, x'0102', 1, 1)
        ID-2 | CHECK  | INSERT INTO identity VALUES (x'ee000000000000000000000000000000', 8, NULL, 1, 1)
        ID-2 | UNIQUE | INSERT INTO identity VALUES (x'aa000000000000000000000000000000', 8, NULL, 1, NULL)
        ID-3 | ID-3   | INSERT INTO identity VALUES (x'ee000000000000000000000000000000', 5, NULL, 1, NULL)
        ID-2 | ID-2   | INSERT INTO identity SELECT zeroblob(16), 8, phone, 1, 1 FROM identity WHERE person = 7
        ID-2 | ID-2   | UPDATE identity SET phone = x'03000000000000000000000000000000', bound_at = 3 WHERE person = 4
        ID-3 | ID-3   | UPDATE identity SET person = 7 WHERE person = 4
        ID-3 | ID-3   | UPDATE identity SET person = 5 WHERE person = 4
        ID-2 | ID-2   | UPDATE identity SET phone = NULL, bound_at = NULL WHERE person = 7
        ID-2 | ID-2   | UPDATE identity SET made_at = 3 WHERE person = 4
        ID-2 | ID-2   | DELETE FROM identity
        M4   | M4     | INSERT INTO transfer VALUES (5, 1 << 48 | 2, 3, 5, 3, 7, 100, 1, 2, 0)
        M4   | M4     | INSERT INTO transfer VALUES (7, 1 << 48 | 2, 3, 5, 3, 6, 100, 1, 2, 0)
        M4   | M4     | INSERT INTO transfer VALUES (5, 1 << 48 | 2147483648, 3, 5, 3, 6, 100, 1, 2, 0)
        ID-3 | CHECK  | INSERT INTO pending_merge VALUES (8, 8, zeroblob(16), zeroblob(16), 0, 1, 4, 0, 4)
        ID-3 | CHECK  | INSERT INTO pending_merge VALUES (8, 9, zeroblob(15), zeroblob(16), 0, 1, 4, 0, 4)
        ID-3 | CHECK  | INSERT INTO pending_merge VALUES (8, 9, zeroblob(16), zeroblob(15), 0, 1, 4, 0, 4)
        ID-3 | CHECK  | INSERT INTO pending_merge VALUES (8, 9, zeroblob(16), zeroblob(16), 2, 1, 4, 0, 4)
        ID-3 | CHECK  | INSERT INTO pending_merge VALUES (8, 9, zeroblob(16), zeroblob(16), 0, 1, 65, 0, 4)
        ID-3 | CHECK  | INSERT INTO pending_merge VALUES (8, 9, zeroblob(16), zeroblob(16), 0, 1, 4, 0, 5)
        M14  | UNIQUE | INSERT INTO merged_order SELECT * FROM merged_order
        M14  | CHECK  | INSERT INTO merged_order VALUES (0, 1, 41, 3, 0, 100, 0, 0, 2)
        M14  | CHECK  | INSERT INTO merged_order VALUES (5, 2, 41, 0, 0, 100, 0, 0, 2)
        M14  | CHECK  | INSERT INTO merged_order VALUES (5, 2, 41, 3, 256, 100, 0, 0, 2)
        M14  | CHECK  | INSERT INTO merged_order VALUES (5, 2, 41, 3, 0, -1, 0, 0, 2)
        M14  | FOREIGN | INSERT INTO merged_order VALUES (5, 2, 9, 3, 0, 100, 0, 0, 2)
        M14  | M14    | UPDATE merged_order SET amount = 101
        M14  | M14    | DELETE FROM merged_order
        """

    static let allowed = """
        INSERT INTO identity SELECT zeroblob(16), 7, phone, 1, 1 FROM identity WHERE person = 7
        INSERT INTO transfer VALUES (5, 1 << 48 | 2, 3, 5, 3, 6, 100, 1, 2, 0)
        UPDATE identity SET phone = x'09000000000000000000000000000000', bound_at = 3 WHERE person = 4
        INSERT INTO merge VALUES (6, 7, 1)
        UPDATE identity SET person = 7 WHERE person = 6
        """

    @Test func badRowsAreRefused() async throws {
        let folder = try TemporaryFolder()
        try await SQLiteStore(folder: folder.path).close()
        let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
        try await queue.write { database in try database.execute(sql: Self.valid) }
        try await queue.expect(refused: Self.refused, allowed: Self.allowed)
        try queue.close()
    }

    private static func resolve(
        _ store: any Store,
        _ key: UserKey,
        _ phone: PhoneKey?,
        _ fresh: PersonID,
        _ expected: PersonID?
    ) async throws -> IdentityOutcome {
        let footprint = Footprint(resolving: key, phone: phone, persons: [fresh] + [expected].compactMap(\.self))
        return try await store.transact(footprint) { books in
            books.resolve(key, phone: phone, fresh: fresh, expected: expected, joining: .ifAlone, now: Fixture.now)
        }
    }

    /// Through the store: users, phones and merges are there again after a restart, and nothing else is.
    @Test(arguments: Backend.all)
    func whatIsWrittenIsRead(backend: Backend) async throws {
        // Keys from 2^127 on and persons from 2^63 on have the sign bit set.
        let (a, b) = (UserKey(bits: .max - 1), UserKey(bits: 2))
        let (p, q) = (PhoneKey(bits: 1 << 127 | 5), PhoneKey(bits: 3))
        let (one, two) = (PersonID(.max), PersonID(2))
        try await backend.withRestart { store in
            var outcomes: [IdentityOutcome] = []
            outcomes.append(try await Self.resolve(store, a, p, one, nil))
            outcomes.append(try await Self.resolve(store, b, nil, one, nil))
            outcomes.append(try await Self.resolve(store, b, nil, two, nil))
            outcomes.append(try await Self.resolve(store, b, q, PersonID(3), two))
            outcomes.append(try await Self.resolve(store, b, p, PersonID(3), two))
            outcomes.append(try await Self.resolve(store, b, p, PersonID(3), one))
            outcomes.append(try await Self.resolve(store, UserKey(bits: 9), nil, two, nil))
            let merge = Merge(source: two, target: one, at: Fixture.now)
            let expected: [IdentityOutcome] = [
                .made(one), .personTaken, .made(two), .bound(two), .merged(merge), .known(one), .personTaken,
            ]
            #expect(outcomes == expected)
        } then: { store in
            let first = Identity(key: a, person: one, phone: p, madeAt: Fixture.now, boundAt: Fixture.now)
            let second = Identity(key: b, person: one, phone: p, madeAt: Fixture.now, boundAt: Fixture.now)
            let merges = try await store.read { (snapshot) throws(StoreError) in try snapshot.merges() }
            #expect(merges == [Merge(source: two, target: one, at: Fixture.now)])
            let known = try await store.read { (snapshot) throws(StoreError) in
                [try snapshot.identity(a), try snapshot.identity(UserKey(bits: 9))]
            }
            #expect(known == [first, nil])
            let lists = try await store.read { (snapshot) throws(StoreError) in
                let page = try snapshot.identities(after: nil, limit: 1)
                return [
                    try snapshot.identities(on: p), try snapshot.identities(of: one),
                    page + (try snapshot.identities(after: page[0].key, limit: 9)),
                ]
            }
            for list in lists { #expect(list.count == 2 && Set(list) == [first, second]) }
            let left = try await store.read { (snapshot) throws(StoreError) in
                try snapshot.identities(on: q) + (try snapshot.identities(of: two))
            }
            #expect(left.isEmpty)
        }
    }
}
