#include "broker/auth/key.h"

#include <gtest/gtest.h>

#include "tests/unit/auth/token_maker.h"

namespace weir {
namespace {

constexpr std::string_view kText = "header.payload";

std::string why_not(const std::string& pem) {
  const auto keys = Key::from_pem(pem);
  return keys ? "" : keys.error().message;
}

// The one key of a PEM text.
Key key_of(const Signer& signer) {
  auto keys = Key::from_pem(signer.public_pem());
  EXPECT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->size(), 1U);
  return std::move(keys->front());
}

void expect_checks_each_bit(const Key& key, const std::string& signature) {
  EXPECT_TRUE(key.verifies(kText, signature));
  EXPECT_FALSE(key.verifies("header.payloae", signature));
  EXPECT_FALSE(key.verifies(kText, ""));
  EXPECT_FALSE(key.verifies(kText, signature.substr(1)));
  EXPECT_FALSE(key.verifies(kText, signature + '\0'));
  EXPECT_FALSE(key.verifies(kText, std::string(signature.size(), '\0')));
  EXPECT_FALSE(key.verifies(kText, std::string(signature.size(), '\xff')));
  for (std::size_t bit = 0; bit < 8 * signature.size(); bit += 7) {
    std::string other = signature;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(key.verifies(kText, other)) << bit;
  }
}

TEST(Key, OfASecretIsHs256) {
  const std::string secret(32, 's');
  const auto key = Key::from_secret(secret);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->algorithm(), Algorithm::kHs256);
  expect_checks_each_bit(*key, Signer::secret(secret).sign(kText));
  EXPECT_FALSE(key->verifies(kText, Signer::secret(std::string(32, 't')).sign(kText)));
  EXPECT_TRUE(Key::from_secret(std::string(1'000, '\0')));
}

TEST(Key, OfAShortSecretOrAPublicKeyInItsPlaceIsRefused) {
  EXPECT_NE(Key::from_secret(std::string(31, 's')).error().message.find("31 bytes"), std::string::npos);
  EXPECT_NE(Key::from_secret("").error().message.find("32"), std::string::npos);
  EXPECT_NE(Key::from_secret(Signer::ec().public_pem()).error().message.find("PEM"), std::string::npos);
}

TEST(Key, OfRsaIsRs256) {
  const Signer signer = Signer::rsa();
  const Key key = key_of(signer);
  EXPECT_EQ(key.algorithm(), Algorithm::kRs256);
  expect_checks_each_bit(key, signer.sign(kText));
  EXPECT_FALSE(key.verifies(kText, Signer::rsa().sign(kText)));
}

TEST(Key, OfEcIsEs256) {
  const Signer signer = Signer::ec();
  const Key key = key_of(signer);
  EXPECT_EQ(key.algorithm(), Algorithm::kEs256);
  // Numbers that begin with zeros, now and then.
  for (int i = 0; i < 600; ++i) EXPECT_TRUE(key.verifies(kText, signer.sign(kText)));
  expect_checks_each_bit(key, signer.sign(kText));
  EXPECT_FALSE(key.verifies(kText, signer.sign_raw(kText)))
      << "DER is another spelling of the same signature.";
  EXPECT_FALSE(key.verifies(kText, Signer::ec().sign(kText)));
}

TEST(Key, OfEd25519IsEdDsa) {
  const Signer signer = Signer::ed25519();
  const Key key = key_of(signer);
  EXPECT_EQ(key.algorithm(), Algorithm::kEdDsa);
  expect_checks_each_bit(key, signer.sign(kText));
  EXPECT_FALSE(key.verifies(kText, Signer::ed25519().sign(kText)));
}

TEST(Key, MayBeOneOfSeveralInAPemText) {
  const Signer first = Signer::ec();
  const Signer second = Signer::ed25519();
  const auto keys = Key::from_pem("a comment\n" + first.public_pem() + "\nanother\n" + second.public_pem());
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_TRUE(keys->front().verifies(kText, first.sign(kText)));
  EXPECT_TRUE(keys->back().verifies(kText, second.sign(kText)));
}

TEST(Key, OfAnotherKindIsRefused) {
  EXPECT_NE(why_not(Signer::rsa(1024).public_pem()).find("1024 bits"), std::string::npos);
  EXPECT_NE(why_not(Signer::rsa_pss().public_pem()).find("another kind"), std::string::npos);
  EXPECT_NE(why_not(Signer::ec("P-384").public_pem()).find("another curve"), std::string::npos);
  EXPECT_NE(why_not(Signer::ec("secp256k1").public_pem()).find("another curve"), std::string::npos);
}

TEST(Key, ThatIsPrivateIsRefused) {
  EXPECT_NE(why_not(Signer::ec().private_pem()).find("private key"), std::string::npos);
  EXPECT_NE(why_not(Signer::ed25519().public_pem() + Signer::ed25519().private_pem()).find("private key"),
            std::string::npos);
}

TEST(Key, IsNotReadFromSomethingElse) {
  const std::string pem = Signer::ec().public_pem();
  EXPECT_NE(why_not(""), "");
  EXPECT_NE(why_not("no key"), "");
  EXPECT_NE(why_not(pem.substr(0, pem.size() / 2)), "");
  EXPECT_NE(why_not(pem + pem.substr(0, pem.size() / 2)), "") << "A second key that can't be read.";
  EXPECT_NE(why_not("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").find("PUBLIC KEY"),
            std::string::npos);
  EXPECT_NE(why_not("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "");
}

TEST(Key, OfNumbersThatAreNoKeyIsRefused) {
  const std::string number(32, '\x01');
  EXPECT_FALSE(Key::from_rsa("", ""));
  EXPECT_FALSE(Key::from_rsa(std::string(256, '\xff'), ""));
  EXPECT_FALSE(Key::from_rsa(std::string(256, '\xfe'), "\x03")) << "An even modulus.";
  EXPECT_FALSE(Key::from_rsa(std::string(4'096, '\xff'), "\x03"));
  EXPECT_FALSE(Key::from_p256(number, number)) << "No point of the curve.";
  EXPECT_FALSE(Key::from_p256("", number));
  EXPECT_FALSE(Key::from_p256(std::string(32, '\0'), std::string(32, '\0')));
  EXPECT_FALSE(Key::from_ed25519("short"));
}

TEST(Key, HasAnAlgorithmThatIsNamedExactly) {
  EXPECT_EQ(parse_algorithm("HS256"), Algorithm::kHs256);
  EXPECT_EQ(parse_algorithm("RS256"), Algorithm::kRs256);
  EXPECT_EQ(parse_algorithm("ES256"), Algorithm::kEs256);
  EXPECT_EQ(parse_algorithm("EdDSA"), Algorithm::kEdDsa);
  EXPECT_EQ(parse_algorithm("Ed25519"), Algorithm::kEdDsa);
  for (const char* name : {"", "none", "NONE", "nOnE", "hs256", "HS256 ", "HS384", "RS512", "PS256", "ES256K",
                           "ES384", "Ed448", "eddsa", "RSA-OAEP", "dir"}) {
    EXPECT_EQ(parse_algorithm(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace weir
