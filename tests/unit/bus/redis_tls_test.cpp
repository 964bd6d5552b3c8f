// RedisBus over TLS against a real redis-server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/support/certificates.h"
#include "tests/unit/bus/redis_bus_fixture.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kHere = "DNS:localhost,IP:127.0.0.1";

class RedisTlsTest : public RedisBusTest {
 protected:
  // A server that shows `shown`, and whose plain port is there for the test's own commands.
  static RedisServer::Options options_of(const CertificateAuthority::Issued& shown,
                                         std::vector<std::string> arguments = {}) {
    RedisServer::Options options;
    options.tls = RedisServer::Options::Tls{shown.certificate, shown.key, {}};
    options.arguments = std::move(arguments);
    return options;
  }
  RedisServer::Options good_options(std::vector<std::string> arguments = {}) {
    return options_of(ca_.issue(kHere), std::move(arguments));
  }
  RedisBusOptions bus_options(const std::string& url) {
    RedisBusOptions options = options_for(url);
    options.files.ca = ca_.file();
    return options;
  }
  // Starts a bus that can't connect; its reason once there is one.
  std::string why_not(RedisBusOptions options) {
    start(std::move(options));
    bus_->subscribe("news");
    EXPECT_TRUE(poll([&] { return !bus_->state().why_not.empty(); }));
    EXPECT_FALSE(bus_->state().was_ever_connected);
    EXPECT_EQ(observer_.times_subscribed("news"), 0);
    return bus_->state().why_not;
  }
  [[nodiscard]] bool works() { return subscribe_and_wait("works") && wait_until_publishing(); }

  CertificateAuthority ca_;
};

// --- Messages

TEST_F(RedisTlsTest, DeliversAllMessagesOfAChannelInOrder) {
  RedisServer server(good_options());
  start(bus_options(server.tls_url()));
  ASSERT_TRUE(subscribe_and_wait("news"));
  const auto texts = numbers(20'000);
  server.pipeline(publishes("news", texts));
  ASSERT_TRUE(observer_.wait_for_idle_after(texts.size()));
  EXPECT_EQ(observer_.payloads("news"), texts);
}

TEST_F(RedisTlsTest, CarriesLargeMessagesInBothDirections) {
  RedisServer server(good_options());
  start(bus_options(server.tls_url()));
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  // Around the size of a record, and many of them; several are under way at once.
  std::vector<std::string> payloads;
  for (const std::size_t size : {(16 << 10) - 1, 16 << 10, (16 << 10) + 1, 4 << 20, 0, 4 << 20, 4 << 20}) {
    payloads.emplace_back(size, static_cast<char>('a' + payloads.size()));
  }
  PublishResults results;
  for (const std::string& payload : payloads) bus_->publish("news", payload, results.collect());
  for (const PublishResult& result : results.wait_for(payloads.size())) {
    EXPECT_EQ(result.outcome, PublishOutcome::kDelivered) << result.detail;
  }
  ASSERT_TRUE(observer_.wait_for_idle_after(payloads.size()));
  EXPECT_TRUE(observer_.payloads("news") == payloads);  // Not EQ: 12 MB would be printed.
  EXPECT_EQ(bus_->state().reconnects, 0u);
}

TEST_F(RedisTlsTest, StaysConnectedWhileItIsAnsweredThoughNothingElseHappens) {
  RedisServer server(good_options());
  RedisBusOptions options = bus_options(server.tls_url());
  options.ping_interval = std::chrono::milliseconds(1);
  start(options);
  ASSERT_TRUE(works());
  ASSERT_TRUE(poll([&] {
    const std::string stats = server.command({"INFO", "commandstats"});
    const std::size_t at = stats.find("cmdstat_ping:calls=");
    return at != std::string::npos && std::stoi(stats.substr(at + 19)) > 100;
  }));
  EXPECT_EQ(bus_->state().reconnects, 0u);
}

// --- Whom it trusts

TEST_F(RedisTlsTest, TakesACertificateForTheNameOrTheAddressOfTheUrl) {
  RedisServer server(good_options());
  for (const char* host : {"localhost", "127.0.0.1"}) {
    start(bus_options(server.tls_url(host)));
    ASSERT_TRUE(works()) << host << ": " << bus_->state().why_not;
    bus_->stop();
  }
}

TEST_F(RedisTlsTest, RefusesACertificateForAnotherNameOrAddress) {
  RedisServer named(options_of(ca_.issue("DNS:redis.example,IP:127.0.0.2")));
  EXPECT_THAT(why_not(bus_options(named.tls_url("localhost"))),
              AllOf(HasSubstr("for localhost "), HasSubstr("ostname mismatch")));
  bus_->stop();
  EXPECT_THAT(why_not(bus_options(named.tls_url("127.0.0.1"))),
              AllOf(HasSubstr("for 127.0.0.1 "), HasSubstr("IP address mismatch")));
}

TEST_F(RedisTlsTest, RefusesACertificateOfAnotherCa) {
  CertificateAuthority other;
  RedisServer server(options_of(other.issue(kHere)));
  EXPECT_THAT(why_not(bus_options(server.tls_url())), HasSubstr("certificate"));
  bus_->stop();
  RedisBusOptions trusts_the_system = options_for(server.tls_url());
  EXPECT_THAT(why_not(trusts_the_system), AllOf(HasSubstr("not accepted"), HasSubstr("issuer certificate")));
}

TEST_F(RedisTlsTest, RefusesAnExpiredCertificate) {
  RedisServer server(options_of(ca_.issue(kHere, true)));
  EXPECT_THAT(why_not(bus_options(server.tls_url())), HasSubstr("certificate has expired"));
}

TEST_F(RedisTlsTest, ShowsItsOwnCertificateWhereRedisAsksForOne) {
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    RedisServer::Options server_options = good_options({"--tls-protocols", version});
    server_options.tls->client_ca = ca_.file();
    RedisServer server(server_options);
    RedisBusOptions options = bus_options(server.tls_url());
    EXPECT_THAT(why_not(options),
                AnyOf(HasSubstr("wants a client certificate"), HasSubstr("handshake failure")))
        << version;
    bus_->stop();
    const auto ours = ca_.issue("DNS:weir");
    options.files.certificate = ours.certificate;
    options.files.key = ours.key;
    start(options);
    ASSERT_TRUE(works()) << version << ": " << bus_->state().why_not;
    bus_->stop();
  }
}

// --- What else may answer

TEST_F(RedisTlsTest, SaysSoWhereTheServerDoesNotSpeakTls) {
  RedisServer server;
  RedisBusOptions options = bus_options("rediss://127.0.0.1:" + std::to_string(server.port()));
  options.answer_timeout = std::chrono::milliseconds(500);
  EXPECT_THAT(why_not(options),
              AnyOf(HasSubstr("does not speak TLS"), HasSubstr("no answer to the TLS handshake"),
                    HasSubstr("closed during the handshake")));
}

TEST_F(RedisTlsTest, SaysSoWhereTheServerSpeaksNothingButTls) {
  RedisServer server(good_options());
  EXPECT_THAT(why_not(options_for("redis://127.0.0.1:" + std::to_string(server.tls_port()))),
              HasSubstr("rediss://"));
}

TEST_F(RedisTlsTest, GivesUpAHandshakeThatHangsAndTriesAgain) {
  RedisServer server(good_options());
  RedisBusOptions options = bus_options(server.tls_url());
  options.answer_timeout = std::chrono::milliseconds(500);
  server.pause();
  EXPECT_THAT(why_not(options), HasSubstr("no answer to the TLS handshake within 500 ms"));
  server.resume();
  ASSERT_TRUE(observer_.wait_for_subscribed("news"));
}

// --- Losses

TEST_F(RedisTlsTest, ComesBackAfterRedisWasKilledAndStarted) {
  RedisServer server(good_options());
  start(bus_options(server.tls_url()));
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  for (int i = 1; i <= 3; ++i) {
    server.kill();
    ASSERT_TRUE(observer_.wait_for_line("lost", i));
    ASSERT_TRUE(poll([&] { return !bus_->state().is_connected && !bus_->state().why_not.empty(); }));
    server.start();
    ASSERT_TRUE(observer_.wait_for_subscribed("news", i + 1));
    ASSERT_TRUE(wait_until_publishing());
    EXPECT_THAT(bus_->state().why_not, IsEmpty());
  }
  EXPECT_EQ(publish_and_wait(*bus_, "news", "back").receivers, 1u);
  ASSERT_TRUE(observer_.wait_for_messages(1));
}

TEST_F(RedisTlsTest, KeepsItsSubscriptionsThroughManyQuickCuts) {
  RedisServer server(good_options());
  start(bus_options(server.tls_url()));
  for (int i = 0; i < 200; ++i) bus_->subscribe("c" + std::to_string(i));
  ASSERT_TRUE(observer_.wait_for_all_subscribed(200));
  int cuts = 0;
  ASSERT_TRUE(poll([&] {
    cuts += server.command({"CLIENT", "KILL", "TYPE", "pubsub"}) != "0";
    return cuts == 20;
  }));
  ASSERT_TRUE(poll([&] { return bus_->state().reconnects >= 20u && bus_->state().acknowledged == 200u; }));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(server.subscribers("c" + std::to_string(i)), "1");
  EXPECT_THAT(observer_.lines(), Each(std::string("lost")));
}

TEST_F(RedisTlsTest, IsStoppedInTheMiddleOfAnything) {
  RedisServer server(good_options());
  const std::string large(1 << 20, 'x');
  for (int i = 0; i < 20; ++i) {
    start(bus_options(server.tls_url()));
    bus_->subscribe("news");
    if (i % 2 == 0) {
      ASSERT_TRUE(wait_until_publishing());
      for (int n = 0; n < 10; ++n) bus_->publish("news", large, [](PublishResult) {});
    }
    bus_->stop();
  }
}

// --- Files that change

TEST_F(RedisTlsTest, ReadsPasswordAndCasAgainForEachConnection) {
  const std::string folder = ::testing::TempDir() + "weir-rotated-" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  const auto write_password = [&](const std::string& text) { std::ofstream(folder + "/password") << text; };
  const auto trust = [&](const CertificateAuthority& ca) {
    std::filesystem::copy_file(ca.file(), folder + "/ca", std::filesystem::copy_options::overwrite_existing);
  };

  auto first = std::make_unique<RedisServer>(good_options());
  first->command({"ACL", "SETUSER", "app", "on", ">old", "&*", "+@all"});
  write_password("old\n");
  trust(ca_);
  RedisBusOptions options = options_for("rediss://app@127.0.0.1:" + std::to_string(first->tls_port()));
  options.files.password = folder + "/password";
  options.files.ca = folder + "/ca";
  start(options);
  ASSERT_TRUE(works()) << bus_->state().why_not;

  // Another password: whoever is connected is cut.
  first->command({"ACL", "DELUSER", "app"});
  first->command({"ACL", "SETUSER", "app", "on", ">new", "&*", "+@all"});
  ASSERT_TRUE(poll([&] { return bus_->state().why_not.find("WRONGPASS") != std::string::npos; }));
  EXPECT_THAT(bus_->state().why_not, Not(HasSubstr("old")));
  write_password("new\r\n");
  ASSERT_TRUE(observer_.wait_for_subscribed("works", 2));

  // A file that is gone for a moment is a reason like any other.
  std::filesystem::remove(folder + "/ca");
  first->command({"CLIENT", "KILL", "TYPE", "pubsub"});
  ASSERT_TRUE(poll([&] { return bus_->state().why_not.find("redis-ca-file") != std::string::npos; }));
  trust(ca_);
  ASSERT_TRUE(observer_.wait_for_subscribed("works", 3));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace weir
