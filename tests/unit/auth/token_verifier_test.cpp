#include "broker/auth/token_verifier.h"

#include "tests/unit/auth/auth_fixture.h"

namespace weir {
namespace {

// A verifier with the one key file that a test gives it.
class TokenVerifierTest : public testing::Test {
 protected:
  void use(const KeyFiles& files, const std::string& audience = "") {
    store_ = std::make_unique<KeyStore>(files);
    const auto error = store_->load();
    ASSERT_FALSE(error) << error->message;
    verifier_ = std::make_unique<TokenVerifier>(*store_, audience);
  }
  void use_pem(const Signer& signer) {
    use({.secret = "", .public_key = folder_.write("pem", signer.public_pem()), .jwks = ""});
  }
  void use_jwks(const std::string& keys) {
    use({.secret = "", .public_key = "", .jwks = folder_.write("jwks", "{\"keys\":[" + keys + "]}")});
  }
  // Empty if it is good.
  std::string why_not(const std::string& token) {
    const auto claims = verifier_->verify(token, kNow);
    return claims ? "" : claims.error().message;
  }

  KeyFolder folder_;
  std::unique_ptr<KeyStore> store_;
  std::unique_ptr<TokenVerifier> verifier_;
};

TEST_F(TokenVerifierTest, AcceptsHs256) {
  const std::string secret(32, 's');
  use({.secret = folder_.write("secret", secret + "\n"), .public_key = "", .jwks = ""});
  const auto claims = verifier_->verify(
      make_token(Signer::secret(secret), R"({"alg":"HS256","typ":"JWT"})", kGoodClaims), kNow);
  ASSERT_TRUE(claims) << claims.error().message;
  EXPECT_EQ(claims->expires_at, kNow + std::chrono::seconds(600));
  EXPECT_TRUE(claims->may_subscribe("a"));
  EXPECT_FALSE(claims->may_subscribe("b"));
  EXPECT_TRUE(claims->may_publish("b"));
}

TEST_F(TokenVerifierTest, AcceptsRs256Es256AndEdDsa) {
  const Signer rsa = Signer::rsa(3072);
  use_pem(rsa);
  EXPECT_EQ(why_not(make_token(rsa, R"({"alg":"RS256"})", kGoodClaims)), "");
  const Signer ec = Signer::ec();
  use_pem(ec);
  EXPECT_EQ(why_not(make_token(ec, R"({"alg":"ES256"})", kGoodClaims)), "");
  const Signer ed = Signer::ed25519();
  use_pem(ed);
  EXPECT_EQ(why_not(make_token(ed, R"({"alg":"EdDSA"})", kGoodClaims)), "");
  EXPECT_EQ(why_not(make_token(ed, R"({"alg":"Ed25519","kid":"any"})", kGoodClaims)), "");
}

// RFC 7515, A.1, whose claims have long expired: the first known answer that is not our own.
TEST_F(TokenVerifierTest, AgreesWithTheRfc) {
  use_jwks(
      R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})");
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  EXPECT_EQ(why_not(token), "the token has expired");
  EXPECT_TRUE(
      verifier_->verify(token, std::chrono::system_clock::time_point(std::chrono::seconds(1'300'819'379))));
}

TEST_F(TokenVerifierTest, FindsTheKeyByItsIdOrByTrying) {
  const Signer first = Signer::ec();
  const Signer second = Signer::ec();
  use_jwks(first.jwk(R"("kid":"first",)") + "," + second.jwk(R"("kid":"second",)"));
  EXPECT_EQ(why_not(make_token(second, R"({"alg":"ES256","kid":"second"})", kGoodClaims)), "");
  EXPECT_EQ(why_not(make_token(second, R"({"alg":"ES256"})", kGoodClaims)), "");
  EXPECT_EQ(why_not(make_token(second, R"({"alg":"ES256","kid":"first"})", kGoodClaims)),
            "the signature of the token is not good");
}

TEST_F(TokenVerifierTest, AsksForItsAudience) {
  const std::string secret(32, 's');
  use({.secret = folder_.write("secret", secret), .public_key = "", .jwks = ""}, "weir");
  const Signer signer = Signer::secret(secret);
  EXPECT_EQ(why_not(make_token(signer, R"({"alg":"HS256"})", R"({"exp":1800000600,"aud":["x","weir"]})")),
            "");
  EXPECT_EQ(why_not(make_token(signer, R"({"alg":"HS256"})", kGoodClaims)),
            "the token is for another audience");
}

TEST_F(TokenVerifierTest, TakesTheKeysOfNow) {
  const Signer first = Signer::ed25519();
  const Signer second = Signer::ed25519();
  use_pem(first);
  const std::string token = make_token(second, R"({"alg":"EdDSA"})", kGoodClaims);
  EXPECT_NE(why_not(token), "");
  folder_.write("pem", second.public_pem());
  store_->poll();
  EXPECT_EQ(why_not(token), "");
}

}  // namespace
}  // namespace weir
