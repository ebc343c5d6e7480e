extension Schema {
    /// Who is who (ID-2, ID-3): users of account families, the phones they are bound to, and which persons turned out
    /// to be one. Users and phones are there as keyed hashes only (ID-4).
    ///
    /// What a merge moves is a transfer like any other.
    static let identities0004 = Migration(
        id: "0004-identities",
        sql: """
            CREATE TABLE merge (
                source INTEGER PRIMARY KEY CHECK (source <> 0),
                target INTEGER NOT NULL CHECK (target <> 0 AND target <> source),
                at INTEGER NOT NULL
            ) STRICT;
            -- So there is neither a ring nor a second target.
            CREATE TRIGGER merge_ends_in_a_person BEFORE INSERT ON merge
                WHEN EXISTS (SELECT 1 FROM merge WHERE source = NEW.target)
                BEGIN SELECT RAISE(ABORT, 'ID-3: a person who was merged is nobody''s target'); END;
            CREATE TRIGGER merge_is_final BEFORE UPDATE ON merge
                BEGIN SELECT RAISE(ABORT, 'ID-3: a merge is never changed'); END;
            CREATE TRIGGER merge_stays BEFORE DELETE ON merge
                BEGIN SELECT RAISE(ABORT, 'ID-3: a merge is never deleted'); END;

            CREATE TABLE identity (
                user BLOB PRIMARY KEY CHECK (length(user) = 16),
                person INTEGER NOT NULL CHECK (person <> 0),
                phone BLOB CHECK (length(phone) = 16),
                made_at INTEGER NOT NULL,
                bound_at INTEGER,
                CHECK ((phone IS NULL) = (bound_at IS NULL))
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX identity_by_phone ON identity (phone);
            CREATE INDEX identity_by_person ON identity (person);
            CREATE TRIGGER identity_is_of_a_person BEFORE INSERT ON identity
                WHEN EXISTS (SELECT 1 FROM merge WHERE source = NEW.person)
                BEGIN SELECT RAISE(ABORT, 'ID-3: nobody new is a person who was merged'); END;
            CREATE TRIGGER identity_changes_by_merge BEFORE UPDATE OF person ON identity
                WHEN NEW.person <> OLD.person
                    AND NOT EXISTS (SELECT 1 FROM merge WHERE source = OLD.person AND target = NEW.person)
                BEGIN SELECT RAISE(ABORT, 'ID-3: only a merge makes a user another person'); END;
            CREATE TRIGGER identity_goes_forward BEFORE UPDATE ON identity
                WHEN NEW.user <> OLD.user OR NEW.made_at <> OLD.made_at
                    OR (OLD.phone IS NOT NULL AND NEW.phone IS NULL)
                BEGIN SELECT RAISE(ABORT, 'ID-2: of a user only person and phone change'); END;
            CREATE TRIGGER identity_stays BEFORE DELETE ON identity
                BEGIN SELECT RAISE(ABORT, 'ID-2: a user is never deleted'); END;
            -- ID-2: one phone, one person. Within the transaction of a merge some users are still to follow.
            -- An upsert that ends as an update runs the first trigger, too.
            CREATE TRIGGER phone_is_one_person BEFORE INSERT ON identity
                WHEN EXISTS (SELECT 1 FROM identity AS other WHERE other.phone = NEW.phone
                    AND other.person <> NEW.person AND other.user <> NEW.user AND NOT EXISTS
                        (SELECT 1 FROM merge WHERE source = other.person AND target = NEW.person))
                BEGIN SELECT RAISE(ABORT, 'ID-2: a phone is one person'); END;
            CREATE TRIGGER phone_stays_one_person BEFORE UPDATE ON identity
                WHEN EXISTS (SELECT 1 FROM identity AS other WHERE other.phone = NEW.phone
                    AND other.person <> NEW.person AND other.user <> NEW.user AND NOT EXISTS
                        (SELECT 1 FROM merge WHERE source = other.person AND target = NEW.person))
                BEGIN SELECT RAISE(ABORT, 'ID-2: a phone is one person'); END;

            -- M4: what goes from who was merged to another person goes to who they are, under a number of their own.
            CREATE TRIGGER transfer_after_a_merge BEFORE INSERT ON transfer
                WHEN NEW.debit_kind = 3 AND NEW.credit_kind = 3 AND EXISTS (
                    SELECT 1 FROM merge WHERE source = NEW.debit_owner AND (target <> NEW.credit_owner
                        OR NEW.person <> NEW.debit_owner OR NEW.part >> 31 & 131071 <> 0)
                )
                BEGIN SELECT RAISE(ABORT, 'M4: a merge moves money to its target'); END;
            """
    )
}
