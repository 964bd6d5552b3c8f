#include "broker/auth/key_set.h"

#include <gtest/gtest.h>

#include "tests/unit/auth/token_maker.h"

namespace weir {
namespace {

constexpr std::string_view kText = "header.payload";

std::string jwks(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ",") + key;
  return "{\"keys\":[" + text + "]}";
}

std::string why_not(const std::string& text) {
  KeySet keys;
  const auto error = keys.add_jwks(text);
  return error ? error->message : "";
}

TEST(KeySet, ReadsEachKindOfKey) {
  const Signer secret = Signer::secret(std::string(40, 's'));
  const Signer rsa = Signer::rsa();
  const Signer ec = Signer::ec();
  const Signer ed = Signer::ed25519();
  KeySet keys;
  const auto error = keys.add_jwks(jwks({secret.jwk(R"("kid":"1",)"), rsa.jwk(R"("kid":"2","alg":"RS256",)"),
                                         ec.jwk(R"("kid":"3","use":"sig",)"), ed.jwk(R"("alg":"EdDSA",)")}));
  ASSERT_FALSE(error) << error->message;
  EXPECT_EQ(keys.size(), 4U);
  EXPECT_TRUE(keys.verifies(Algorithm::kHs256, "1", kText, secret.sign(kText)));
  EXPECT_TRUE(keys.verifies(Algorithm::kRs256, "2", kText, rsa.sign(kText)));
  EXPECT_TRUE(keys.verifies(Algorithm::kEs256, "3", kText, ec.sign(kText)));
  EXPECT_TRUE(keys.verifies(Algorithm::kEdDsa, "any, since the key has none", kText, ed.sign(kText)));
}

TEST(KeySet, TriesTheKeysOfTheRightIdOrAll) {
  const Signer first = Signer::ec();
  const Signer second = Signer::ec();
  KeySet keys;
  ASSERT_FALSE(keys.add_jwks(jwks({first.jwk(R"("kid":"first",)"), second.jwk(R"("kid":"second",)")})));
  const auto verifies = [&](std::optional<std::string> id, const Signer& signer) {
    return keys.verifies(Algorithm::kEs256, id, kText, signer.sign(kText));
  };
  EXPECT_TRUE(verifies("second", second));
  EXPECT_FALSE(verifies("first", second));
  EXPECT_FALSE(verifies("third", second));
  EXPECT_FALSE(verifies("", second));
  EXPECT_TRUE(verifies(std::nullopt, first));
  EXPECT_TRUE(verifies(std::nullopt, second));
  EXPECT_FALSE(verifies(std::nullopt, Signer::ec()));
  EXPECT_FALSE(keys.verifies(Algorithm::kEdDsa, "first", kText, first.sign(kText)));
}

TEST(KeySet, MayHaveTwoKeysOfOneId) {
  const Signer first = Signer::ec();
  const Signer second = Signer::ec();
  KeySet keys;
  ASSERT_FALSE(keys.add_jwks(jwks({first.jwk(R"("kid":"a",)"), second.jwk(R"("kid":"a",)")})));
  EXPECT_TRUE(keys.verifies(Algorithm::kEs256, "a", kText, second.sign(kText)));
}

TEST(KeySet, LeavesOutKeysThatAreNotForIt) {
  KeySet keys;
  ASSERT_FALSE(keys.add_jwks(
      jwks({R"({"kty":"new"})", R"({"kty":"OKP","crv":"X25519","x":"AA"})", Signer::ec("P-384").jwk(),
            Signer::rsa().jwk(R"("use":"enc",)"), Signer::rsa().jwk(R"("alg":"RSA-OAEP",)"),
            Signer::rsa().jwk(R"("alg":"RS512",)"), Signer::rsa().jwk(R"("alg":"HS256",)"),
            Signer::rsa().jwk(R"("alg":5,)"), R"({})", Signer::ed25519().jwk()})));
  EXPECT_EQ(keys.size(), 1U);
  EXPECT_TRUE(keys.has(Algorithm::kEdDsa));
  EXPECT_FALSE(keys.has(Algorithm::kRs256));
}

TEST(KeySet, RefusesKeysThatAreWeakBrokenOrPrivate) {
  const std::string good = Signer::ed25519().jwk();
  EXPECT_EQ(why_not(jwks({good, Signer::rsa(1024).jwk()})),
            "key 2 is an RSA key of 1024 bits; 2048 to 8192 are accepted");
  EXPECT_EQ(why_not(jwks({Signer::secret("short").jwk()})), "key 1 has 5 bytes; a secret has at least 32");
  EXPECT_NE(why_not(jwks({Signer::ec().jwk(R"("d":"AA",)")})).find("private key"), std::string::npos);
  EXPECT_NE(why_not(jwks({R"({"kty":"RSA","n":"A=","e":"AQAB"})"})), "");
  EXPECT_NE(why_not(jwks({R"({"kty":"RSA"})"})), "");
  EXPECT_NE(why_not(jwks({R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})"})), "");
  EXPECT_NE(why_not(jwks({R"({"kty":"OKP","crv":"Ed25519","x":7})"})), "");
  EXPECT_NE(why_not(jwks({Signer::ec().jwk(R"("kid":7,)")})).find("kid"), std::string::npos);
}

TEST(KeySet, RefusesWhatIsNone) {
  for (const char* text : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":[1]})",
                           R"({"keys":[{"kty":"new"}]})", R"({"keys":[],"keys":[]})"}) {
    EXPECT_NE(why_not(text), "") << text;
  }
  std::vector<std::string> many(KeySet::kKeysMax, Signer::ed25519().jwk());
  EXPECT_EQ(why_not(jwks(many)), "");
  many.push_back(many.front());
  EXPECT_EQ(why_not(jwks(many)), "has too many keys: at most 64 are used");
}

}  // namespace
}  // namespace weir
