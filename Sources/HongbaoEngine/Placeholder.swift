import Crypto
import CryptoExtras
import Logging
import Yams
