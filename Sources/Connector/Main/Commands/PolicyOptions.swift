// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ConnectorCore
import ControlAPI

/// Where ``PolicyOptions`` has its members from; a type, since options are described before there is a value.
protocol PolicySchemaSource: Sendable {
    /// The schema.
    static var schema: PolicySchema { get }
}

/// The policy of a tunnel of HTTP.
enum TunnelPolicySchema: PolicySchemaSource {
    static var schema: PolicySchema { .tunnel.applying(to: .http) }
}

/// The policy of a tunnel of TLS.
enum TLSPolicySchema: PolicySchemaSource {
    static var schema: PolicySchema { .tunnel.applying(to: .tls) }
}

/// The policy of a tunnel of TCP.
enum TCPPolicySchema: PolicySchemaSource {
    static var schema: PolicySchema { .tunnel.applying(to: .tcp) }
}

/// A flag for each member of a policy, made of the schema.
///
/// The argument parser learns of a type's options by reflection on a new value, and then decodes one: this type answers
/// the first question with an option a flag, and decodes what was given for each.
struct PolicyOptions<Source: PolicySchemaSource>: ParsableArguments, CustomReflectable {
    /// What was given, by the names of flags.
    private var arguments: [String: [String]] = [:]

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        for flag in Self.flags {
            let name = Name(stringValue: flag.name)
            self.arguments[flag.name] =
                flag.isRepeatable
                ? try container.decode([String].self, forKey: name)
                : try container.decodeIfPresent(String.self, forKey: name).map { [$0] }
        }
    }

    var customMirror: Mirror {
        Mirror(self, children: Self.flags.map { (label: $0.name, value: $0.option) })
    }

    func validate() throws {
        do {
            _ = try self.values()
        } catch {
            throw ValidationError(error.message)
        }
    }

    /// The values of the members that were given, by their names in JSON, without those from files.
    ///
    /// - Throws: ``CommandFailure`` that names the flag, and quotes no secret.
    func values() throws(CommandFailure) -> [String: PolicyValue] {
        var values: [String: PolicyValue] = [:]
        for member in Source.schema.members {
            guard let arguments = self.arguments[member.flag], !arguments.isEmpty else { continue }
            values[member.name] = try PolicyArgument(member: member).value(of: arguments)
        }
        return values
    }

    /// The policy, with the user names and passwords from files.
    ///
    /// - Throws: ``CommandFailure``, also for a file that can't be used.
    func policy() throws(CommandFailure) -> TunnelPolicy {
        var values = try self.values()
        for member in Source.schema.members where member.isSecret {
            guard let path = self.arguments[PolicyFlag.fileName(of: member)]?.first else { continue }
            var credentials = try PolicyArgument(member: member).credentials(inFile: path)
            if case .credentials(let given) = values[member.name] { credentials.insert(contentsOf: given, at: 0) }
            if let fault = member.kind.fault(in: .credentials(credentials)) {
                throw CommandFailure(.usage, "--\(member.flag) \(fault.message).")
            }
            values[member.name] = .credentials(credentials)
        }
        return TunnelPolicy(values)
    }

    /// The files that secrets are read from.
    var secretFiles: [String] {
        Source.schema.members.filter(\.isSecret).compactMap { self.arguments[PolicyFlag.fileName(of: $0)]?.first }
    }

    /// Whether secrets stand on the command line, where the history of the shell keeps them.
    var hasSecrets: Bool {
        Source.schema.members.contains { $0.isSecret && self.arguments[$0.flag]?.isEmpty == false }
    }

    private static var flags: [PolicyFlag] { Source.schema.members.flatMap(PolicyFlag.all(of:)) }

    /// The name of a flag.
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
