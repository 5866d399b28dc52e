from engine import fit
def main():
    for step in range(2):
        print(fit())
    return 5
if __name__ == "__main__":
    raise SystemExit(main())
