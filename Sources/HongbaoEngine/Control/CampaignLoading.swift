import Foundation
package import HongbaoCore

/// Reads the campaign files, at the start and for each reload, into one set of campaigns.
package struct CampaignLoading: Sendable {
    private let files: [String]
    private let folder: String?
    /// When the live phases begin that are rehearsed: at the start, also in all later readings.
    private let rehearsalStart: Timestamp?

    /// - Parameters:
    ///   - files: the files to be read; when there are none, all `.yaml` files in and below `folder`.
    ///   - isRehearsal: whether live phases are played as if they had begun a minute before `now`.
    package init(files: [String], folder: String? = nil, isRehearsal: Bool, now: Timestamp) {
        self.files = files
        self.folder = folder
        rehearsalStart = isRehearsal ? now.advanced(bySeconds: -60) : nil
    }

    /// Campaigns that were read, with what their files say of them.
    package struct Loaded: Sendable {
        package let campaigns: CampaignSet
        /// Lines for the terminal.
        package let warnings: [String]
        private let files: [String: CampaignFile]

        fileprivate init(_ campaigns: CampaignSet, warnings: [String], files: [String: CampaignFile]) {
            self.campaigns = campaigns
            self.warnings = warnings
            self.files = files
        }

        /// The problem as a line for the terminal, with its file and place.
        package func rendered(_ problem: ReloadProblem) -> String {
            files[problem.campaign]?.rendered(problem) ?? "no campaign file: error: \(problem.message)"
        }
    }

    /// Why there is nothing to put in force: every problem of every file, a line each.
    package struct Refusal: Error, CustomStringConvertible {
        package let problems: [String]

        package var description: String { problems.joined(separator: "\n") }
    }

    package func load() throws(Refusal) -> Loaded {
        var campaigns: [Campaign] = []
        var files: [String: CampaignFile] = [:]
        var digests: [String] = []
        var warnings: [String] = []
        var problems: [String] = []
        for path in paths {
            do throws(CampaignFile.Unreadable) {
                let file = try CampaignFile.load(path: path)
                switch file.reading {
                case .refused(let errors): problems += errors.map { $0.rendered(file: path) }
                case .loaded(let campaign, let found):
                    warnings += found.map { $0.rendered(file: path) }
                    guard let played = played(campaign) else {
                        problems.append("\(path): has no live phase to rehearse")
                        continue
                    }
                    campaigns.append(played)
                    files[campaign.key] = file
                    digests.append(file.digest)
                }
            } catch {
                problems.append("\(error)")
            }
        }
        guard problems.isEmpty else { throw Refusal(problems: problems) }
        switch CampaignSet.make(campaigns, version: digests.joined(separator: "+")) {
        case .made(let set): return Loaded(set, warnings: warnings, files: files)
        case .keyGivenTwice(let key): throw Refusal(problems: ["two campaign files have the key \(key)"])
        case .numberGivenTwice(let number, let keys):
            let names = keys.joined(separator: " and ")
            throw Refusal(problems: ["campaigns \(names) have the same number \(number)"])
        }
    }

    private func played(_ campaign: Campaign) -> Campaign? {
        guard let rehearsalStart else { return campaign }
        return campaign.rehearsed(startingAt: rehearsalStart)
    }

    /// The files that are named, or else those that are in the folder now.
    private var paths: [String] {
        guard files.isEmpty, let folder else { return files }
        let names = FileManager.default.enumerator(atPath: folder)?.allObjects ?? []
        return names.compactMap { $0 as? String }.filter { $0.hasSuffix(".yaml") }.sorted().map { "\(folder)/\($0)" }
    }
}
