extension Schema {
    /// Who is who (ID-2, ID-3): users of account families, the phones they are bound to, and which persons turned out
    /// to be one. Users and phones are there as keyed hashes only (ID-4).
    ///
    /// What a merge moves is a transfer like any other.
    static let identities0004 = Migration(number: 4, name: "identities", statements: merges + users)

    private static let merges = [
        table(
            "merge",
            """
            source BIGINT NOT NULL PRIMARY KEY CHECK (source <> 0),
            target BIGINT NOT NULL,
            at BIGINT NOT NULL,
            CHECK (target <> 0 AND target <> source)
            """
        ),
        // So there is neither a ring nor a second target.
        refusal(
            "merge_ends_in_a_person",
            "INSERT ON merge",
            when: "EXISTS (SELECT 1 FROM merge WHERE source = NEW.target)",
            "ID-3: a person who was merged is nobody''s target"
        ),
        refusal("merge_is_final", "UPDATE ON merge", "ID-3: a merge is never changed"),
        refusal("merge_stays", "DELETE ON merge", "ID-3: a merge is never deleted"),
        // M4: what goes from who was merged to another person goes to who they are, under a number of their own.
        refusal(
            "transfer_after_a_merge",
            "INSERT ON transfer",
            of: "NEW.debit_kind = 3 AND NEW.credit_kind = 3",
            when: """
                EXISTS (
                    SELECT 1 FROM merge WHERE source = NEW.debit_owner AND (target <> NEW.credit_owner
                        OR NEW.person <> NEW.debit_owner OR NEW.part >> 31 & 131071 <> 0)
                )
                """,
            "M4: a merge moves money to its target"
        ),
    ]

    private static let users = [
        table(
            "identity",
            """
            user VARBINARY(16) NOT NULL PRIMARY KEY CHECK (length(user) = 16),
            person BIGINT NOT NULL CHECK (person <> 0),
            phone VARBINARY(16) CHECK (length(phone) = 16),
            made_at BIGINT NOT NULL,
            bound_at BIGINT,
            CHECK ((phone IS NULL) = (bound_at IS NULL)),
            KEY identity_by_phone (phone),
            KEY identity_by_person (person)
            """
        ),
        refusal(
            "identity_is_of_a_person",
            "INSERT ON identity",
            when: "EXISTS (SELECT 1 FROM merge WHERE source = NEW.person)",
            "ID-3: nobody new is a person who was merged"
        ),
        refusal(
            "identity_changes_by_merge",
            "UPDATE ON identity",
            when: """
                NEW.person <> OLD.person
                    AND NOT EXISTS (SELECT 1 FROM merge WHERE source = OLD.person AND target = NEW.person)
                """,
            "ID-3: only a merge makes a user another person"
        ),
        refusal(
            "identity_goes_forward",
            "UPDATE ON identity",
            when: """
                NEW.user <> OLD.user OR NEW.made_at <> OLD.made_at OR (OLD.phone IS NOT NULL AND NEW.phone IS NULL)
                """,
            "ID-2: of a user only person and phone change"
        ),
        refusal("identity_stays", "DELETE ON identity", "ID-2: a user is never deleted"),
        // ID-2: one phone, one person. Within the transaction of a merge some users are still to follow. An upsert
        // that ends as an update runs the first trigger, too.
        refusal("phone_is_one_person", "INSERT ON identity", when: phoneIsAnothers, "ID-2: a phone is one person"),
        refusal("phone_stays_one_person", "UPDATE ON identity", when: phoneIsAnothers, "ID-2: a phone is one person"),
    ]

    private static let phoneIsAnothers = """
        EXISTS (
            SELECT 1 FROM identity AS other WHERE other.phone = NEW.phone
                AND other.person <> NEW.person AND other.user <> NEW.user AND NOT EXISTS
                    (SELECT 1 FROM merge WHERE source = other.person AND target = NEW.person)
        )
        """
}
