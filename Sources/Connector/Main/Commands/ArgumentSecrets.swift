// SPDX-License-Identifier: Apache-2.0

import ControlAPI

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The secrets among the arguments of this process, which every user of the machine can read in `ps`.
enum ArgumentSecrets {
    /// The options whose values are secrets.
    static let options: [String] = {
        let flags = PolicySchema.tunnel.members.filter(\.isSecret).map { "--\($0.flag)" }
        let aliases = FamiliarFlag.all.filter { flag in flags.contains { flag.meaning == .alias([$0]) } }
        // What other programs take as a secret is one, whatever is said of it here.
        let refused = ["authtoken", "api-key", "key", "http-pwd", "http-password"]
        return ["--token", "--otp"] + flags + (aliases.flatMap(\.names) + refused).map { "--\($0)" }
    }()

    /// Where a secret stands.
    struct Place: Equatable {
        /// The number of the argument.
        var argument: Int
        /// How many bytes of it come before the secret.
        var offset: Int
    }

    /// Finds the secrets.
    static func places(in arguments: [String]) -> [Place] {
        var places: [Place] = []
        for (index, argument) in arguments.enumerated() {
            if index > 0, self.options.contains(arguments[index - 1]) {
                places.append(Place(argument: index, offset: 0))
            } else if let option = self.options.first(where: { argument.hasPrefix("\($0)=") }) {
                places.append(Place(argument: index, offset: option.utf8.count + 1))
            }
        }
        return places
    }

    /// Gives the arguments of the process, and overwrites the secrets where the system shows them.
    ///
    /// Between the start of the process and this call, which takes some milliseconds, they can be seen.
    static func takeArguments() -> [String] {
        let arguments = CommandLine.arguments
        for place in self.places(in: arguments) {
            guard let start = CommandLine.unsafeArgv[place.argument] else { continue }
            let length = strlen(start)
            guard place.offset < length else { continue }
            memset(start + place.offset, Int32(UInt8(ascii: "*")), length - place.offset)
        }
        return arguments
    }
}
