// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Testing

@Suite("Hashes where a plain password is wanted")
struct ForeignPasswordHashTests {
    private func fault(_ password: String) -> PolicyFault? {
        let credential = BasicCredential(username: "ann", password: password)
        return PolicyKind.credentials(atMost: 1).fault(in: .credentials([credential]))
    }

    @Test(
        "What htpasswd and crypt write is refused, also as a whole line, and not repeated",
        arguments: [
            "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC",
            "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
            "$5$rounds=5000$usesomesillystri$KqJWpanXZHKq2BOB43TSaYhEWsQ1Lr5QNyPCDH/Tp.6",
            "$6$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr/36eYLxTLBU1qvSbDfbVMXlRzUMOHE3Lr0X1nmfuUZg",
            "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
            "ann:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        ]
    )
    func hashes(hash: String) {
        let fault = self.fault(hash)
        #expect(fault?.place == "[0].password")
        #expect(
            fault?.message
                == "looks like a hash, as htpasswd writes it: the plain password is wanted, and the edge hashes it"
        )
    }

    @Test(
        "Passwords with such signs are passwords",
        arguments: [
            "$2y$", "$1$ a pint", "$apr1$short", "{SHA}", "a$6$usesomesillystri$D4IrlXatmP7rx", "p:$5$", "$$$$", ":",
        ]
    )
    func passwords(password: String) {
        #expect(self.fault(password) == nil)
    }
}
