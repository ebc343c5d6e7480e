extension Schema {
    /// Budgets and inventories with what is leased of them; coupons and pendants that were promised to downstreams.
    static let rewards0003 = Migration(number: 3, name: "rewards", statements: pools + rewards)

    /// A pool is a scene, or 2^32 and a template.
    private static let pools = [
        table(
            "budget",
            """
            pool BIGINT NOT NULL PRIMARY KEY CHECK (pool BETWEEN 0 AND 8589934591),
            total BIGINT NOT NULL CHECK (total >= 0),
            allotted BIGINT NOT NULL,
            -- 1 cash, 2 subsidy; from 3 on coupons and pendants
            kind TINYINT UNSIGNED NOT NULL CHECK (kind BETWEEN 1 AND 13),
            -- BU-4: the last part, which isn't leased.
            reserve BIGINT NOT NULL DEFAULT 0 CHECK (reserve >= 0),
            quota BIGINT CHECK (quota > 0),
            quota_seconds BIGINT CHECK (quota_seconds BETWEEN 1 AND 4294967295),
            -- The slice of the quota that was leased in last.
            slice BIGINT,
            slice_leased BIGINT CHECK (slice_leased >= 0),
            -- M6
            CHECK (allotted BETWEEN 0 AND total),
            -- M4: scenes give money, templates anything else.
            CHECK ((pool < 4294967296) = (kind <= 2)),
            CHECK ((quota IS NULL) = (quota_seconds IS NULL)),
            CHECK ((slice IS NULL) = (slice_leased IS NULL))
            """
        ),
        refusal(
            "budget_keeps_its_kind",
            "UPDATE ON budget",
            when: "NEW.kind <> OLD.kind",
            "M4: what a pool gives stays what it is"
        ),
        table(
            "lease",
            """
            pool BIGINT NOT NULL,
            mint BIGINT NOT NULL CHECK (mint BETWEEN 0 AND 4294967295),
            epoch BIGINT NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
            allotted BIGINT NOT NULL,
            issued BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            -- M6
            CHECK (issued BETWEEN 0 AND allotted),
            PRIMARY KEY (pool, mint),
            FOREIGN KEY (pool) REFERENCES budget (pool)
            """
        ),
        refusal(
            "lease_goes_forward",
            "UPDATE ON lease",
            when: "NEW.issued < OLD.issued OR NEW.epoch < OLD.epoch",
            "M6: what was issued stays issued"
        ),
    ]

    private static let rewards = [
        // A reward's key is its order number, in the two halves of a transfer's.
        table(
            "reward",
            """
            person BIGINT NOT NULL,
            part BIGINT NOT NULL,
            template BIGINT NOT NULL CHECK (template BETWEEN 0 AND 4294967295),
            kind TINYINT UNSIGNED NOT NULL CHECK (kind BETWEEN 3 AND 13),
            at BIGINT NOT NULL,
            app SMALLINT UNSIGNED NOT NULL,
            retried TINYINT NOT NULL CHECK (retried IN (0, 1)),
            -- 1 promised, 2 given, 3 redeemed, 4 refused
            state TINYINT UNSIGNED NOT NULL CHECK (state BETWEEN 1 AND 4),
            attempts BIGINT NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
            next_check_at BIGINT NOT NULL,
            given_at BIGINT,
            redeemed_at BIGINT,
            -- M13: the template is of the book in the order number, whose scene number isn't 0.
            CHECK (template >> 16 = part >> 48 & 65535 AND part >> 32 & 65535 <> 0),
            -- M10
            CHECK ((state IN (2, 3)) = (given_at IS NOT NULL)),
            CHECK ((state = 3) = (redeemed_at IS NOT NULL)),
            -- GR-6: only what a scene doesn't retry may be refused for good.
            CHECK (state <> 4 OR retried = 0),
            -- M3: at most one for an order number.
            PRIMARY KEY (person, part),
            KEY reward_due (state, kind, next_check_at)
            """
        ),
        refusal(
            "reward_goes_forward",
            "UPDATE ON reward",
            when: """
                NOT (NEW.state = OLD.state OR (OLD.state = 1 AND NEW.state IN (2, 4))
                        OR (OLD.state = 2 AND NEW.state = 3))
                    OR (OLD.given_at IS NOT NULL AND NOT (NEW.given_at <=> OLD.given_at))
                    OR (OLD.redeemed_at IS NOT NULL AND NOT (NEW.redeemed_at <=> OLD.redeemed_at))
                """,
            "M10: a reward only goes forward"
        ),
        refusal(
            "reward_is_promised",
            "UPDATE ON reward",
            when: changed("person", "part", "template", "kind", "at", "app", "retried"),
            "M15: what was promised to a downstream is never changed"
        ),
        refusal("reward_stays", "DELETE ON reward", "M15: a reward is never deleted"),
    ]
}
