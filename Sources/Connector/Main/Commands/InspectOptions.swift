// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import Inspection

/// The options of every command that serves a tunnel: what is kept of the traffic, and where it can be looked at.
struct InspectOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Show requests at http://127.0.0.1:4040: on, off, or the address to listen on. On by default at a terminal.",
            valueName: "on|off|address"
        )
    )
    var inspect: InspectChoice?

    @Option(
        name: .customLong("inspect-memory"),
        help: ArgumentHelp("How much of the traffic is kept at most, as 50MiB. (default: 50MiB)", valueName: "size")
    )
    var memory: ByteSize?

    @Option(
        name: .customLong("inspect-body"),
        help: ArgumentHelp("How much is kept of one body at most, as 1MiB. (default: 1MiB)", valueName: "size")
    )
    var body: ByteSize?

    @Flag(name: .customLong("inspect-token"), help: "Let only those look who open the link that is printed.")
    var requiresToken = false

    @Option(
        name: .customLong("inspect-allow-host"),
        help: ArgumentHelp("Another name under which the inspector may be opened.", valueName: "name")
    )
    var allowedHosts: [String] = []

    @Option(
        name: .customLong("inspect-drop"),
        help: ArgumentHelp("A field of heads that is not kept, as Authorization.", valueName: "field")
    )
    var droppedFields: [String] = []

    @Option(
        name: .customLong("inspect-signature"),
        help: ArgumentHelp(
            "Sign what is sent again anew: \(SignatureScheme.names), with the secret in a file, as stripe:FILE.",
            valueName: "scheme:file"
        )
    )
    var signatures: [SignatureArgument] = []

    func validate() throws {
        if let memory = self.memory, !InspectSettings.memoryRange.contains(memory.bytes) {
            throw ValidationError("--inspect-memory is a size from 64KiB to 64GiB.")
        }
        let memory = self.memory?.bytes ?? InspectSettings.memoryRange.upperBound
        if let body = self.body, !(0...memory).contains(body.bytes) {
            throw ValidationError("--inspect-body is a size of at most --inspect-memory.")
        }
        guard self.droppedFields.allSatisfy(InspectSettings.isDroppable) else {
            throw ValidationError("--inspect-drop is the name of a field other than Host, as Authorization.")
        }
    }

    /// The settings of a run; `nil` if nothing is kept.
    ///
    /// - Parameters:
    ///   - isWatched: Whether a person watches the run at a terminal.
    ///   - file: What a file of tunnels says, which the command line outranks.
    ///   - secrets: Those of ``signingSecrets()``.
    func settings(
        isWatched: Bool,
        file: InspectSettings = InspectSettings(),
        secrets: [SigningSecret] = []
    ) -> TrafficInspection.Settings? {
        let choice = self.inspect ?? file.choice ?? (isWatched ? .on : .off)
        var settings = TrafficInspection.Settings()
        switch choice {
        case .off: return nil
        case .on: break
        case .address(let address): settings.address = address
        }
        var budget = CaptureBudget()
        if let memory = self.memory ?? file.memory { budget.bytes = memory.bytes }
        if let body = self.body ?? file.body { budget.body = body.bytes }
        // More of a body than of everything can't be kept.
        budget.body = min(budget.body, budget.bytes)
        settings.budget = budget
        settings.allowedHosts = self.allowedHosts + file.allowedHosts
        settings.requiresToken = self.requiresToken || file.requiresToken == true
        settings.dropped = DroppedFields(self.droppedFields)
        settings.dropped.formUnion(file.dropped)
        settings.signingSecrets = secrets + file.signingSecrets
        return settings
    }

    /// Reads the files of the command line's secrets.
    ///
    /// - Throws: ``CommandFailure`` if one can't be used.
    func signingSecrets() throws(CommandFailure) -> [SigningSecret] {
        var secrets: [SigningSecret] = []
        for signature in self.signatures { secrets.append(try signature.secret()) }
        return secrets
    }
}

/// How a sender of webhooks signs, and the file of its secret.
struct SignatureArgument: Equatable, Sendable, ExpressibleByArgument {
    var scheme: SignatureScheme
    var path: String

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let scheme = SignatureScheme(rawValue: String(parts[0])) else { return nil }
        self.scheme = scheme
        self.path = String(parts[1])
    }

    fileprivate func secret() throws(CommandFailure) -> SigningSecret {
        let text = try SecretFile.read(self.path, what: "a secret for signatures")
        guard let secret = SigningSecret(self.scheme, secret: text) else {
            throw CommandFailure(.configuration, SigningSecret.refusal(of: self.scheme))
        }
        return secret
    }
}
