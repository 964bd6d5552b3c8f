// weir-publish-file against a real Redis: what arrives is the file, byte for byte.
#include <httplib.h>
#include <openssl/evp.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <span>

#include "tests/unit/publishers/program_fixture.h"

namespace weir {
namespace {

using Json = nlohmann::json;
using Payloads = std::vector<std::string>;

std::string random_bytes(std::size_t count) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int> byte(0, 255);
  std::string bytes(count, '\0');
  for (auto& each : bytes) each = static_cast<char>(byte(random));
  return bytes;
}

std::string decode_base64(const std::string& text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  EXPECT_EQ(size, static_cast<int>(bytes.size()));
  bytes.resize(bytes.size() - static_cast<std::size_t>(std::count(text.begin(), text.end(), '=')));
  return bytes;
}

std::string sha256(const std::string& bytes) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, EVP_sha256(),
             nullptr);
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr auto kDigits = "0123456789abcdef";
    text += {kDigits[static_cast<unsigned char>(digest[i]) >> 4], kDigits[digest[i] & 15]};
  }
  return text;
}

// The file that `messages` hold: a `file`, then its parts, in order.
std::string put_together(std::span<const std::string> messages) {
  const Json head = Json::parse(messages.front()).at("data");
  EXPECT_EQ(Json::parse(messages.front()).at("type"), "file");
  EXPECT_EQ(head.at("name"), "data.bin");
  EXPECT_EQ(head.at("parts"), messages.size() - 1);
  std::string bytes;
  for (std::size_t n = 0; n + 1 < messages.size(); ++n) {
    const Json part = Json::parse(messages[n + 1]);
    EXPECT_EQ(part.at("type"), "part");
    EXPECT_EQ(part.at("data").at("n"), n);
    EXPECT_EQ(part.at("data").at("offset"), bytes.size());
    bytes += decode_base64(part.at("data").at("base64"));
  }
  EXPECT_EQ(head.at("size"), bytes.size());
  EXPECT_EQ(head.at("sha256"), sha256(bytes));
  return bytes;
}

class FileProgramTest : public ProgramTest {
 protected:
  std::vector<std::string> arguments_for_file(std::vector<std::string> more = {}) const {
    more.push_back(folder_.path("data.bin"));
    return arguments(more);
  }
};

TEST_F(FileProgramTest, SendsALargeFileInPartsAndThenTheEnd) {
  const std::string bytes = random_bytes(3'000'000);
  folder_.append(bytes, "data.bin");
  Subscriber subscriber(redis_, "news");
  Program program(WEIR_PUBLISH_FILE, arguments_for_file({"--rate", "100M"}));
  const auto messages = subscriber.take_until(kEnd);
  ASSERT_GT(messages.size(), 2U);
  EXPECT_TRUE(put_together(std::span(messages).first(messages.size() - 1)) == bytes);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(FileProgramTest, SendsTheWholeFileInEachRoundAndTheEndOnce) {
  const std::string bytes = random_bytes(100'000);
  folder_.append(bytes, "data.bin");
  Subscriber subscriber(redis_, "news");
  Program program(WEIR_PUBLISH_FILE, arguments_for_file({"--form", "parts", "--rounds", "2"}));
  const auto messages = subscriber.take_until(kEnd);
  ASSERT_EQ(messages.size(), 2 * (1 + 3) + 1U);
  EXPECT_TRUE(put_together(std::span(messages).subspan(0, 4)) == bytes);
  EXPECT_TRUE(put_together(std::span(messages).subspan(4, 4)) == bytes);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(FileProgramTest, SendsASmallFileAsABufferWithoutAnEnd) {
  const std::string bytes = random_bytes(5'000);
  folder_.append(bytes, "data.bin");
  Subscriber subscriber(redis_, "news");
  Program program(WEIR_PUBLISH_FILE, arguments_for_file());
  EXPECT_EQ(program.wait(), 0);
  redis_.command({"PUBLISH", "news", "after"});
  const auto messages = subscriber.take_until("after");
  ASSERT_EQ(messages.size(), 2U);
  const Json buffer = Json::parse(messages[0]).at("msg");
  EXPECT_EQ(buffer.at("type"), "Buffer");
  std::string received;
  for (const auto& byte : buffer.at("data")) received += static_cast<char>(byte.get<int>());
  EXPECT_TRUE(received == bytes);
}

TEST_F(FileProgramTest, SendsAnEmptyFileInBothForms) {
  folder_.append("", "data.bin");
  Subscriber subscriber(redis_, "news");
  Program buffer(WEIR_PUBLISH_FILE, arguments_for_file({"--end"}));
  EXPECT_EQ(subscriber.take_until(kEnd), (Payloads{R"({"msg":{"type":"Buffer","data":[]}})", kEnd}));
  EXPECT_EQ(buffer.wait(), 0);
  Program parts(WEIR_PUBLISH_FILE, arguments_for_file({"--form", "parts"}));
  const auto messages = subscriber.take_until(kEnd);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(put_together(std::span(messages).first(1)), "");
  EXPECT_EQ(parts.wait(), 0);
}

TEST_F(FileProgramTest, SendsNoEndIfToldSo) {
  folder_.append("abc", "data.bin");
  Subscriber subscriber(redis_, "news");
  Program program(WEIR_PUBLISH_FILE, arguments_for_file({"--form", "parts", "--end=false"}));
  EXPECT_EQ(program.wait(), 0);
  redis_.command({"PUBLISH", "news", "after"});
  EXPECT_EQ(subscriber.take_until("after").size(), 3U);
}

TEST_F(FileProgramTest, SendsAFileThatSaysItIsEmpty) {
  std::ifstream stream("/proc/version");
  const std::string version{std::istreambuf_iterator<char>(stream), {}};
  Subscriber subscriber(redis_, "news");
  Program program(WEIR_PUBLISH_FILE, arguments({"--form", "parts", "/proc/version"}));
  const auto messages = subscriber.take_until(kEnd);
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(Json::parse(messages[0]).at("data").at("size"), version.size());
  EXPECT_EQ(decode_base64(Json::parse(messages[1]).at("data").at("base64")), version);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(FileProgramTest, RepeatGoesOnWhateverBecomesOfTheFile) {
  folder_.append("one", "data.bin");
  Subscriber subscriber(redis_, "news");
  Program program(WEIR_PUBLISH_FILE,
                  arguments_for_file({"--form", "parts", "--repeat", "--end", "--log-level", "warning",
                                      "--repeat-pause-seconds", "0"}));
  EXPECT_EQ(put_together(subscriber.take(2)), "one");
  folder_.remove("data.bin");
  ASSERT_TRUE(program.await_error("No such file or directory; trying again"));
  std::filesystem::create_directory(folder_.path("data.bin"));
  ASSERT_TRUE(program.await_error("is a directory, not a regular file; trying again"));
  folder_.remove("data.bin");
  folder_.append("two", "data.bin.new");
  folder_.rename("data.bin.new", "data.bin");
  const auto is_of_two = [](const std::string& message) {
    return message.find(R"("base64":"dHdv")") != std::string::npos;
  };
  std::optional<std::string> message;
  do message = subscriber.next();
  while (message && !is_of_two(*message));
  EXPECT_TRUE(message);
  program.signal(SIGTERM);
  EXPECT_EQ(subscriber.take_until(kEnd).back(), kEnd);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(FileProgramTest, WithoutRepeatAFileThatCannotBeSentEndsItWithoutAnEnd) {
  const std::string folder = folder_.path("").string();
  for (const std::string& file : {folder, folder_.path("missing").string(), std::string("/proc/self/mem")}) {
    Subscriber subscriber(redis_, "news");
    Program program(WEIR_PUBLISH_FILE, arguments({"--form", "parts", "--end", file}));
    EXPECT_EQ(program.wait(), 1);
    EXPECT_NE(program.errors().find("error: "), std::string::npos) << program.errors();
    EXPECT_NE(program.errors().find(file), std::string::npos) << program.errors();
    redis_.command({"PUBLISH", "news", "after"});
    EXPECT_EQ(subscriber.take_until("after"), Payloads{"after"});
  }
}

TEST_F(FileProgramTest, StandardInputIsWrongUsage) {
  Program program(WEIR_PUBLISH_FILE, arguments({"-"}));
  EXPECT_EQ(program.wait(), 2);
  EXPECT_NE(program.errors().find("read twice"), std::string::npos) << program.errors();
}

TEST_F(FileProgramTest, ALogThatIsNoTerminalShowsNoProgress) {
  folder_.append(random_bytes(500'000), "data.bin");
  Program program(WEIR_PUBLISH_FILE, arguments_for_file({"--rate", "0"}));
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(program.errors().find('\r'), std::string::npos) << program.errors();
  EXPECT_EQ(program.errors().find('%'), std::string::npos) << program.errors();
}

TEST_F(FileProgramTest, ItsMetricsTellHowFarItIs) {
  folder_.append(random_bytes(100'000), "data.bin");
  Program program(WEIR_PUBLISH_FILE,
                  arguments_for_file({"--form", "parts", "--rounds", "2", "--repeat",
                                      "--repeat-pause-seconds", "3600", "--metrics-listen", "127.0.0.1:0"}));
  ASSERT_TRUE(program.await_error("metrics at http://"));
  const std::string errors = program.errors();
  const auto at = errors.find("http://127");
  httplib::Client client(errors.substr(at, errors.find("/metrics", at) - at));
  EXPECT_TRUE(eventually([&] {
    const auto page = client.Get("/metrics");
    return page && page->body.find("\nweir_publisher_progress_bytes 200000\n") != std::string::npos &&
           page->body.find("\nweir_publisher_size_bytes 200000\n") != std::string::npos;
  }));
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

}  // namespace
}  // namespace weir
