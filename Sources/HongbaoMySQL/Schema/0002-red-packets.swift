extension Schema {
    /// Red packets, claims and refunds, and the subsidies that pay for packets.
    ///
    /// A packet's tables carry M7 and M8 by themselves: at most `count` claims, one for each person and position, none
    /// before payment or after the end, one refund of exactly what is left.
    static let redPackets0002 = Migration(
        number: 2,
        name: "red-packets",
        statements: packets + claims + refunds + subsidies
    )

    private static let packets = [
        table(
            "packet",
            """
            id BIGINT NOT NULL PRIMARY KEY CHECK (id <> 0),
            sender BIGINT NOT NULL,
            book SMALLINT UNSIGNED NOT NULL,
            send_id VARCHAR(64) NOT NULL
                CHECK (length(send_id) BETWEEN 1 AND 64 AND send_id NOT REGEXP '[^A-Za-z0-9_-]'),
            -- 1 c2c, 2 b2c
            kind TINYINT UNSIGNED NOT NULL CHECK (kind BETWEEN 1 AND 2),
            -- 1 equal, 2 lucky
            split TINYINT UNSIGNED NOT NULL CHECK (split BETWEEN 1 AND 2),
            amount BIGINT NOT NULL,
            count BIGINT NOT NULL CHECK (count BETWEEN 1 AND 1000000),
            -- 1 everyone, 2 followers, 3 friends, 4 listed
            scope TINYINT UNSIGNED NOT NULL CHECK (scope BETWEEN 1 AND 4),
            created_at BIGINT NOT NULL,
            -- 1 created, 2 paying, 3 published, 4 exhausted, 5 expired, 6 closing, 7 closed, 8 abandoned
            state TINYINT UNSIGNED NOT NULL CHECK (state BETWEEN 1 AND 8),
            -- The payment's transfer, or the one that granted the subsidy which paid.
            funding_person BIGINT,
            funding_part BIGINT,
            published_at BIGINT,
            expires_at BIGINT,
            closed_at BIGINT,
            claimed BIGINT NOT NULL,
            claimed_count BIGINT NOT NULL,
            luckiest_position BIGINT,
            luckiest_share BIGINT,
            transferred BIGINT NOT NULL,
            refunded BIGINT NOT NULL,
            attempts BIGINT NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
            next_check_at BIGINT NOT NULL,
            commitment VARBINARY(32) NOT NULL CHECK (length(commitment) = 32),
            sealed_seed BLOB NOT NULL,
            greeting VARCHAR(512) NOT NULL CHECK (length(greeting) <= 512),
            video VARCHAR(512) NOT NULL CHECK (length(video) <= 512),
            -- Persons, 8 bytes each, the most significant first.
            listed VARBINARY(8000) NOT NULL CHECK (length(listed) % 8 = 0),
            CHECK ((scope = 4) = (length(listed) > 0)),
            -- M7: at least one fen for each share, claimed or not, and no more claims than shares.
            CHECK (claimed_count BETWEEN 0 AND count),
            CHECK (claimed >= claimed_count AND amount - claimed >= count - claimed_count),
            CHECK (claimed_count < count OR claimed = amount),
            -- M7: nothing before payment.
            CHECK ((state BETWEEN 3 AND 7) = (funding_part IS NOT NULL)),
            CHECK ((funding_part IS NULL) = (funding_person IS NULL)),
            CHECK ((funding_part IS NULL) = (published_at IS NULL)),
            CHECK ((published_at IS NULL) = (expires_at IS NULL)),
            CHECK (expires_at IS NULL OR expires_at > published_at),
            CHECK (claimed_count = 0 OR funding_part IS NOT NULL),
            -- A packet is published as long as shares are left, and exhausted when none is.
            CHECK (state <> 3 OR claimed_count < count),
            CHECK (state <> 4 OR claimed_count = count),
            CHECK (state <> 5 OR claimed_count < count),
            CHECK ((claimed_count = 0) = (luckiest_position IS NULL)),
            CHECK ((luckiest_position IS NULL) = (luckiest_share IS NULL)),
            CHECK (luckiest_position IS NULL OR luckiest_position BETWEEN 0 AND claimed_count - 1),
            -- M7: one refund, of all that is left, once it can't be claimed any more.
            CHECK (refunded = 0 OR (refunded = amount - claimed AND state BETWEEN 6 AND 7)),
            -- M8: only what was claimed is transferred; at close everything is where it belongs.
            CHECK (transferred BETWEEN 0 AND claimed),
            CHECK (state <> 7 OR transferred + refunded = amount),
            CHECK ((state = 7) = (closed_at IS NOT NULL)),
            -- M14: one packet for each ID that the client chose.
            UNIQUE KEY (sender, book, send_id),
            -- SU-4: a subsidy (its order number), or a payment, pays for one packet.
            UNIQUE KEY (funding_person, funding_part),
            KEY packet_due (state, next_check_at)
            """
        ),
        refusal(
            "packet_goes_forward",
            "UPDATE ON packet",
            when: """
                NEW.state < OLD.state OR (OLD.state = 7 AND NEW.state <> 7)
                    OR (NEW.state = 8 AND OLD.state > 2 AND OLD.state <> 8) OR (OLD.state = 4 AND NEW.state = 5)
                    OR (OLD.funding_part IS NOT NULL AND (NEW.funding_part <> OLD.funding_part
                        OR NEW.funding_person <> OLD.funding_person OR NEW.published_at <> OLD.published_at
                        OR NEW.expires_at <> OLD.expires_at))
                """,
            "M10: a packet only goes forward"
        ),
        refusal(
            "packet_pays_out_once",
            "UPDATE ON packet",
            when: """
                NEW.claimed < OLD.claimed OR NEW.claimed_count < OLD.claimed_count
                    OR (NEW.claimed - OLD.claimed < NEW.claimed_count - OLD.claimed_count)
                    OR (NEW.claimed <> OLD.claimed AND OLD.state <> 3)
                    OR (OLD.refunded > 0 AND NEW.refunded <> OLD.refunded) OR NEW.transferred < OLD.transferred
                """,
            "M7: what was claimed or refunded stays so"
        ),
        refusal(
            "packet_is_promised",
            "UPDATE ON packet",
            when: changed(
                "id",
                "sender",
                "book",
                "send_id",
                "kind",
                "split",
                "amount",
                "count",
                "scope",
                "created_at",
                "commitment",
                "sealed_seed",
                "greeting",
                "video",
                "listed"
            ),
            "M15: what was sent is never changed"
        ),
        refusal("packet_stays", "DELETE ON packet", "M15: a packet is never deleted"),
    ]

    private static let claims = [
        table(
            "claim",
            """
            packet BIGINT NOT NULL,
            position BIGINT NOT NULL CHECK (position >= 0),
            person BIGINT NOT NULL CHECK (person <> 0),
            book SMALLINT UNSIGNED NOT NULL,
            kind TINYINT UNSIGNED NOT NULL,
            share BIGINT NOT NULL CHECK (share > 0),
            at BIGINT NOT NULL,
            -- 1 pending, 2 done
            state TINYINT UNSIGNED NOT NULL CHECK (state BETWEEN 1 AND 2),
            attempts BIGINT NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
            next_check_at BIGINT NOT NULL,
            done_at BIGINT,
            -- M10: done when, and only when, there is a time at which it became so.
            CHECK ((state = 1) = (done_at IS NULL)),
            -- M7: a share is one claim's, and a person has one share.
            PRIMARY KEY (packet, position),
            UNIQUE KEY (person, packet),
            KEY claim_due (state, kind, next_check_at)
            """
        ),
        claimFits,
        refusal(
            "claim_goes_forward",
            "UPDATE ON claim",
            when: "OLD.state = 2",
            "M10: a claim that is done stays as it is"
        ),
        refusal(
            "claim_is_promised",
            "UPDATE ON claim",
            when: changed("packet", "position", "person", "book", "kind", "share", "at"),
            "M15: what was claimed is never changed"
        ),
        refusal("claim_stays", "DELETE ON claim", "M15: a claim is never deleted"),
    ]

    /// M7: a claim is of a share that its packet has.
    ///
    /// A batch's claims are rows of one statement. The packet is read for the first of them, and for one that differs
    /// from it by more than the position and the share; what it said stays in variables of the connection for the
    /// others, since reading it takes longer than adding the row. One statement is told from another by the time in
    /// microseconds at which it began.
    private static let claimFits = """
        CREATE OR REPLACE TRIGGER claim_fits BEFORE INSERT ON claim FOR EACH ROW
        BEGIN
            IF NEW.packet = @claim_packet AND NEW.at = @claim_at AND NEW.book = @claim_book AND NEW.kind = @claim_kind
                AND NEW.position BETWEEN @claim_first AND @claim_last AND NEW.share <= @claim_left
                AND @@timestamp = @claim_began
            THEN BEGIN END;
            ELSE
                SET @claim_packet = NEW.packet, @claim_at = NEW.at, @claim_book = NEW.book, @claim_kind = NEW.kind,
                    @claim_first = NEW.position, @claim_began = @@timestamp,
                    @claim_last = (
                        SELECT count - 1 FROM packet
                        WHERE id = NEW.packet AND state = 3 AND NEW.at < expires_at AND NEW.position >= claimed_count
                            AND book = NEW.book AND kind = NEW.kind
                    ),
                    @claim_left = (SELECT amount - claimed FROM packet WHERE id = NEW.packet);
                IF NOT coalesce(NEW.position <= @claim_last AND NEW.share <= @claim_left, FALSE)
                    THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'M7: the packet has no such share to claim';
                END IF;
            END IF;
        END
        """

    private static let refunds = [
        table(
            "refund",
            """
            packet BIGINT NOT NULL,
            number BIGINT NOT NULL CHECK (number BETWEEN 1 AND 4294967295),
            person BIGINT NOT NULL CHECK (person <> 0),
            book SMALLINT UNSIGNED NOT NULL,
            amount BIGINT NOT NULL CHECK (amount > 0),
            -- 1 unclaimed, 2 another amount was paid, 3 the payment came too late
            reason TINYINT UNSIGNED NOT NULL CHECK (reason BETWEEN 1 AND 3),
            created_at BIGINT NOT NULL,
            -- 1 pending, 2 done, 3 failed
            state TINYINT UNSIGNED NOT NULL CHECK (state BETWEEN 1 AND 3),
            attempts BIGINT NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
            next_check_at BIGINT NOT NULL,
            final_at BIGINT,
            -- M7: of a packet's refunds at most one is done or may yet be.
            open_packet BIGINT GENERATED ALWAYS AS (CASE WHEN state < 3 THEN packet END) VIRTUAL INVISIBLE,
            UNIQUE KEY refund_is_one (open_packet),
            -- M10: final when, and only when, there is a time at which it became so.
            CHECK ((state = 1) = (final_at IS NULL)),
            PRIMARY KEY (packet, number),
            KEY refund_due (state, next_check_at)
            """
        ),
        // What came by subsidy goes back inside, without an order.
        refusal(
            "refund_fits",
            "INSERT ON refund",
            when: """
                NEW.state <> 1
                    OR NEW.number <> 1 + (SELECT count(*) FROM refund WHERE packet = NEW.packet)
                    OR EXISTS (
                        SELECT 1 FROM refund
                        WHERE packet = NEW.packet AND (amount <> NEW.amount OR reason <> NEW.reason)
                    )
                    OR NOT EXISTS (
                        SELECT 1 FROM packet
                        WHERE id = NEW.packet AND sender = NEW.person AND book = NEW.book AND kind = 1
                            AND CASE NEW.reason
                                WHEN 1 THEN state = 6 AND refunded = 0 AND NEW.amount = amount - claimed
                                ELSE state = 8 END
                    )
                """,
            "M7: the packet has no such refund"
        ),
        refusal(
            "refund_goes_forward",
            "UPDATE ON refund",
            when: "OLD.state <> 1",
            "M10: a refund that is final stays as it is"
        ),
        refusal(
            "refund_is_promised",
            "UPDATE ON refund",
            when: changed("packet", "number", "person", "book", "amount", "reason", "created_at"),
            "M15: what a refund gives back is never changed"
        ),
        refusal("refund_stays", "DELETE ON refund", "M15: a refund is never deleted"),
    ]

    private static let subsidies = [
        // A subsidy's key is that of the transfer that grants it: its order number.
        table(
            "subsidy",
            """
            person BIGINT NOT NULL,
            part BIGINT NOT NULL,
            amount BIGINT NOT NULL,
            at BIGINT NOT NULL,
            -- 1 granted, 2 used
            state TINYINT UNSIGNED NOT NULL CHECK (state BETWEEN 1 AND 2),
            -- The red packet that it has paid for; SU-4: one subsidy for each.
            packet BIGINT,
            CHECK ((state = 2) = (packet IS NOT NULL)),
            PRIMARY KEY (person, part),
            UNIQUE KEY subsidy_packet (packet)
            """
        ),
        refusal(
            "subsidy_is_booked",
            "INSERT ON subsidy",
            when: """
                NEW.state <> 1 OR NOT EXISTS (
                    SELECT 1 FROM transfer WHERE person = NEW.person AND part = NEW.part AND amount = NEW.amount
                        AND part >> 32 & 65535 <> 0 AND credit_kind = 9
                )
                """,
            "M4: a subsidy is what was booked"
        ),
        refusal(
            "subsidy_is_used_once",
            "UPDATE ON subsidy",
            when: "OLD.state = 2",
            "SU-4: a subsidy pays for one packet"
        ),
        refusal(
            "subsidy_fits",
            "UPDATE ON subsidy",
            when: """
                NEW.state = 2 AND NOT EXISTS (
                    SELECT 1 FROM packet WHERE id = NEW.packet AND kind = 2 AND sender = NEW.person
                        AND book = NEW.part >> 48 & 65535 AND amount = NEW.amount
                        AND funding_person = NEW.person AND funding_part = NEW.part
                )
                """,
            "SU-4: the packet isn''t paid for by this subsidy"
        ),
        refusal(
            "subsidy_is_promised",
            "UPDATE ON subsidy",
            when: changed("person", "part", "amount", "at"),
            "M15: what was granted is never changed"
        ),
        refusal("subsidy_stays", "DELETE ON subsidy", "M15: a subsidy is never deleted"),
    ]
}
