#include "broker/auth/key_store.h"

#include <sys/stat.h>

#include "broker/base/metrics.h"
#include "tests/unit/auth/auth_fixture.h"

namespace weir {
namespace {

constexpr std::string_view kText = "header.payload";

bool accepts(const KeyStore& store, Algorithm algorithm, const Signer& signer) {
  return store.keys()->verifies(algorithm, std::nullopt, kText, signer.sign(kText));
}

bool has_line(const KeyStore& store, const std::string& line) {
  Metrics metrics;
  metrics.add_source([&store](MetricsPage& page) { store.collect(page); });
  return metrics.render().find("\n" + line + "\n") != std::string::npos;
}

std::string why_not(const KeyFiles& files) {
  KeyStore store(files);
  const auto error = store.load();
  return error ? error->message : "";
}

TEST(KeyStore, WithoutFilesHasNoKeys) {
  KeyStore store({});
  EXPECT_FALSE(store.load());
  store.poll();
  EXPECT_EQ(store.keys()->size(), 0U);
}

TEST(KeyStore, ReadsUnchangedFilesAgainWhenItIsToldToAndKeepsTheKeysOfBrokenOnes) {
  const KeyFolder folder;
  const Signer secret = Signer::secret(std::string(32, 's'));
  KeyStore store({.secret = folder.write("secret", std::string(32, 's')), .public_key = "", .jwks = ""});
  ASSERT_FALSE(store.load());
  EXPECT_FALSE(store.reload());
  EXPECT_TRUE(has_line(store, "weir_key_reloads_total{outcome=\"ok\"} 1"));
  folder.write("secret", "short");
  const auto error = store.reload();
  ASSERT_TRUE(error);
  EXPECT_NE(error->message.find("jwt-secret-file"), std::string::npos) << error->message;
  store.poll();
  EXPECT_TRUE(has_line(store, "weir_key_reloads_total{outcome=\"failed\"} 1")) << "It was told of once.";
  EXPECT_TRUE(accepts(store, Algorithm::kHs256, secret));
}

TEST(KeyStore, CountsAllFilesTogether) {
  const KeyFolder folder;
  const Signer secret = Signer::secret(std::string(32, 's'));
  const Signer rsa = Signer::rsa();
  const Signer ed = Signer::ed25519();
  KeyStore store({folder.write("secret", std::string(32, 's')), folder.write("pem", rsa.public_pem()),
                  folder.write("jwks", "{\"keys\":[" + ed.jwk() + "]}")});
  const auto error = store.load();
  ASSERT_FALSE(error) << error->message;
  EXPECT_TRUE(accepts(store, Algorithm::kHs256, secret));
  EXPECT_TRUE(accepts(store, Algorithm::kRs256, rsa));
  EXPECT_TRUE(accepts(store, Algorithm::kEdDsa, ed));
  EXPECT_TRUE(has_line(store, "weir_keys 3"));
}

TEST(KeyStore, TakesOneNewlineOffASecret) {
  const KeyFolder folder;
  const std::string secret(32, 's');
  for (const char* end : {"", "\n", "\r\n"}) {
    KeyStore store({.secret = folder.write("secret", secret + end), .public_key = "", .jwks = ""});
    ASSERT_FALSE(store.load());
    EXPECT_TRUE(accepts(store, Algorithm::kHs256, Signer::secret(secret)));
  }
  KeyStore store({.secret = folder.write("secret", secret + "\n\n"), .public_key = "", .jwks = ""});
  ASSERT_FALSE(store.load());
  EXPECT_TRUE(accepts(store, Algorithm::kHs256, Signer::secret(secret + "\n")));
}

TEST(KeyStore, SaysWhichFileIsWrongAndHow) {
  const KeyFolder folder;
  const std::string none = (folder.path() / "none").string();
  EXPECT_EQ(why_not({.secret = none, .public_key = "", .jwks = ""}),
            "jwt-secret-file = \"" + none + "\": can't be read: No such file or directory");
  EXPECT_EQ(why_not({.secret = folder.path().string(), .public_key = "", .jwks = ""}),
            "jwt-secret-file = \"" + folder.path().string() + "\": is no regular file");
  const std::string small = folder.write("small", std::string(31, 's') + "\n");
  EXPECT_EQ(why_not({.secret = small, .public_key = "", .jwks = ""}),
            "jwt-secret-file = \"" + small + "\": has 31 bytes; a secret has at least 32");
  const std::string pem = folder.write("pem", "nothing");
  EXPECT_EQ(
      why_not({.secret = "", .public_key = pem, .jwks = ""}),
      "jwt-public-key-file = \"" + pem + "\": is no PEM text of public keys (-----BEGIN PUBLIC KEY-----)");
  const std::string jwks = folder.write("jwks", "{}");
  EXPECT_EQ(why_not({.secret = "", .public_key = "", .jwks = jwks}),
            "jwks-file = \"" + jwks + "\": is no JWK set: it has no array \"keys\"");
  const std::string large = folder.write("large", std::string(kKeyFileBytesMax + 1, 's'));
  EXPECT_EQ(why_not({.secret = large, .public_key = "", .jwks = ""}),
            "jwt-secret-file = \"" + large + "\": is longer than 1 MiB");
}

TEST(KeyStore, DoesNotWaitForAPipe) {
  const KeyFolder folder;
  const std::string pipe = (folder.path() / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(why_not({.secret = pipe, .public_key = "", .jwks = ""}),
            "jwt-secret-file = \"" + pipe + "\": is no regular file");
}

TEST(KeyStore, ReadsAFileAgainWhenItHasChanged) {
  const KeyFolder folder;
  const Signer first = Signer::ed25519();
  const Signer second = Signer::ed25519();
  KeyStore store({.secret = "", .public_key = folder.write("pem", first.public_pem()), .jwks = ""});
  ASSERT_FALSE(store.load());
  const auto held = store.keys();
  store.poll();
  EXPECT_EQ(store.keys(), held) << "Nothing has changed.";
  folder.write("pem", second.public_pem());
  EXPECT_TRUE(accepts(store, Algorithm::kEdDsa, first)) << "Not before it is polled.";
  store.poll();
  EXPECT_FALSE(accepts(store, Algorithm::kEdDsa, first));
  EXPECT_TRUE(accepts(store, Algorithm::kEdDsa, second));
  EXPECT_TRUE(held->verifies(Algorithm::kEdDsa, std::nullopt, kText, first.sign(kText)))
      << "Who holds the old ones may go on.";
  EXPECT_TRUE(has_line(store, "weir_key_reloads_total{outcome=\"ok\"} 1"));
  EXPECT_TRUE(has_line(store, "weir_key_reloads_total{outcome=\"failed\"} 0"));
}

TEST(KeyStore, SeesAFileThatIsWrittenInPlace) {
  const KeyFolder folder;
  const std::string path = folder.write("secret", std::string(32, 's'));
  KeyStore store({.secret = path, .public_key = "", .jwks = ""});
  ASSERT_FALSE(store.load());
  std::ofstream(path, std::ios::app) << "more";
  store.poll();
  EXPECT_TRUE(accepts(store, Algorithm::kHs256, Signer::secret(std::string(32, 's') + "more")));
}

TEST(KeyStore, FollowsALinkThatIsSwapped) {  // As Kubernetes does with the files of a Secret.
  const KeyFolder folder;
  const Signer first = Signer::ed25519();
  const Signer second = Signer::ed25519();
  folder.write("one", first.public_pem());
  folder.write("two", second.public_pem());
  std::filesystem::create_symlink("one", folder.path() / "link");
  KeyStore store({.secret = "", .public_key = (folder.path() / "link").string(), .jwks = ""});
  ASSERT_FALSE(store.load());
  std::filesystem::create_symlink("two", folder.path() / "link.new");
  std::filesystem::rename(folder.path() / "link.new", folder.path() / "link");
  store.poll();
  EXPECT_TRUE(accepts(store, Algorithm::kEdDsa, second));
}

TEST(KeyStore, KeepsItsKeysWhereANewFileIsBroken) {
  const KeyFolder folder;
  const Signer first = Signer::ed25519();
  const Signer second = Signer::ed25519();
  const std::string path = folder.write("pem", first.public_pem());
  KeyStore store({.secret = "", .public_key = path, .jwks = ""});
  ASSERT_FALSE(store.load());
  folder.write("pem", "broken");
  store.poll();
  store.poll();
  EXPECT_TRUE(accepts(store, Algorithm::kEdDsa, first));
  EXPECT_TRUE(has_line(store, "weir_key_reloads_total{outcome=\"failed\"} 1")) << "Once, not at each poll.";
  std::filesystem::remove(path);
  store.poll();
  EXPECT_TRUE(accepts(store, Algorithm::kEdDsa, first));
  EXPECT_TRUE(has_line(store, "weir_key_reloads_total{outcome=\"failed\"} 2"));
  folder.write("pem", second.public_pem());
  store.poll();
  EXPECT_TRUE(accepts(store, Algorithm::kEdDsa, second));
  EXPECT_TRUE(has_line(store, "weir_key_reloads_total{outcome=\"ok\"} 1"));
}

}  // namespace
}  // namespace weir
