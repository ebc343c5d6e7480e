/// What each metric of the engine means, for whoever shows them.
package enum MetricHelp {
    package static let texts: [(name: String, help: String)] = [
        ("hongbao_grants_total", "Grants that the engine accepted, replayed or couldn't make durable, by outcome."),
        ("hongbao_backlog_grants", "Grants that are accepted and not posted."),
        ("hongbao_config_last_reload_successful", "1 when the campaign files last read were put in force, 0 if not."),
        ("hongbao_config_last_reload_timestamp_seconds", "When the campaigns in force were read, seconds since 1970."),
        ("hongbao_config_reloads_total", "Readings of the campaign files after the start, by result."),
        ("hongbao_alarms_total", "Alarms raised, by kind; each says that a person should look."),
        ("hongbao_postings_total", "Grants booked into the ledger from the log."),
        ("hongbao_oldest_unposted_seconds", "Age of the oldest batch that isn't posted; 0 when all are."),
        ("hongbao_posting_transaction_duration_seconds", "Time of one posting transaction, its sync included."),
        ("hongbao_payouts_tracked", "Withdrawals that payouts are following now."),
        ("hongbao_withdrawals_oldest_pending_seconds", "Age of the oldest withdrawal that isn't final."),
        ("hongbao_payouts_left_to_sweep_total", "Withdrawals that weren't followed at once and wait for the sweep."),
        ("hongbao_payouts_store_faults_total", "Faults of the store while a payout was carried on."),
        ("hongbao_withdrawal_requests_total", "Withdrawals that people asked for, by outcome."),
        ("hongbao_withdrawals_final_total", "Withdrawals that became final, by state."),
        ("hongbao_withdrawal_attempts", "Calls of the payout channel until a withdrawal was final."),
        ("hongbao_payout_reports_total", "What the payout channel reported, by call and report."),
        ("hongbao_payout_channel_seconds", "Time of a call of the payout channel, by call."),
    ]
}
