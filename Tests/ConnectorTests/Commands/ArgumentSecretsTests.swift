// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Connector

@Suite("Secrets among the arguments")
struct ArgumentSecretsTests {
    @Test(
        "The values of --token, --otp and of a policy's secrets are found, in both spellings, and nothing else",
        arguments: [
            ("connect --to 3000", []),
            ("connect --token abc --to 3000", [.init(argument: 3, offset: 0)]),
            ("connect --token=abc --to 3000", [.init(argument: 2, offset: 8)]),
            ("connect --token=", [.init(argument: 2, offset: 8)]),
            ("connect --to 3000 --token", []),
            ("connect --token-file abc --token-filed=abc --name --token", []),
            ("http 3000 --otp 123456 --token x", [.init(argument: 4, offset: 0), .init(argument: 6, offset: 0)]),
            ("http 3000 --otp=123456", [.init(argument: 3, offset: 6)]),
            (
                "http 3000 --basic-auth a:b --basic-auth=c:d --basic-auth-file f",
                [.init(argument: 4, offset: 0), .init(argument: 5, offset: 13)]
            ),
        ] as [(String, [ArgumentSecrets.Place])]
    )
    func places(line: String, places: [ArgumentSecrets.Place]) {
        let arguments = ["culvert"] + line.split(separator: " ").map(String.init)
        #expect(ArgumentSecrets.places(in: arguments) == places)
    }
}
